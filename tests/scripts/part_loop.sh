# The review loop of demo/review_loop.sh in its shortest form: nothing that was decided is lost, and there is a table. (Its figures mean
# nothing with so few pictures.)
build=$1
dir=$build/tests/loop
rm -rf "$dir"
mkdir -p "$dir"

check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; fi
}

POOL=12 TEST=4 COUNTS="4 8" SEEDS=1 SIDE=4 EPOCHS=1 SIZE=160,120 BUILD=$build OUT=$dir/out sh demo/review_loop.sh >"$dir/table.md" 2>"$dir/said"
check "the loop ends well: decisions are kept, nothing rejected is back" [ $? -eq 0 ]
check "... with figures for both orders" [ "$(grep -c '^| ranked | 1 | [0-9.]* | [0-9.]* | [0-9.]* |$\|^| random | 1 | [0-9.]* | [0-9.]* | [0-9.]* |$' "$dir/table.md")" -eq 2 ]
check "... eight images of twelve are complete" [ "$(grep -c '"review":"complete"' "$dir/out/1/ranked/reviewed.8.json")" -eq 8 ]
first=$dir/out/1/ranked
check "... the first four are those of the round before" [ "$(head -n 4 "$first/names.8")" = "$(cat "$first/names.4")" ]
# What the script looks for is found: a decision that is changed, and a rejected box that is back.
. tests/scripts/decisions.sh
decided "$first/reviewed.8.json" >"$dir/was"
sed 's/"accepted"/"rejected"/' "$first/reviewed.8.json" >"$dir/changed.json"
decided "$dir/changed.json" >"$dir/now"
! cmp -s "$dir/was" "$dir/now"
check "a decision that is changed is seen" [ $? -eq 0 ]
grep '"rejected"' "$first/reviewed.8.json" | head -n 1 >"$dir/back"
sed 's/,"reviewed":"rejected"//; s/, *"reviewed": *"rejected"//; s/"reviewed": *"rejected",//' "$dir/back" >>"$dir/back"
check "... and so is a rejected box that is back" [ "$(resurrected "$dir/back")" -eq 1 ]
