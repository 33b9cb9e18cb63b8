# The shipped weights still do what the model card says, on pictures that training never saw; the data set writer gives the
# same files twice.
build=$1
dir=$build/tests/demo
rm -rf "$dir"
mkdir -p "$dir"

check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; fi
}

"$build/demo/scenes" -o "$dir/a" --count 3 --seed 7 && "$build/demo/scenes" -o "$dir/b" --count 3 --seed 7
check "scenes: the same files twice" diff -r "$dir/a" "$dir/b"
check "scenes: every image has a line of labels" [ "$(wc -l <"$dir/a/labels.csv")" -eq 4 ]

"$build/demo/scenes" -o "$dir/new" --count 4 --seed 7 --classes new &&
    grep -q '"name":"cotter pin"' "$dir/new/instances.json" && ! grep -q '"name":"screw"' "$dir/new/instances.json"
check "scenes --classes new: classes of their own" [ $? -eq 0 ]
"$build/demo/scenes" -o "$dir/ng" --count 12 --seed 7 --defects &&
    grep -q ',OK$' "$dir/ng/labels.csv" && grep -q ',NG$' "$dir/ng/labels.csv" && grep -q '"defect":"' "$dir/ng/instances.json" &&
    [ "$(grep -c ',NG$' "$dir/ng/labels.csv")" -eq "$(grep -o '"image_id":[0-9]*' "$dir/ng/instances.json" | sort -u | wc -l)" ]
check "scenes --defects: OK and NG, and masks of what is wrong" [ $? -eq 0 ]
"$build/demo/scenes" -o "$dir/no" --classes other 2>/dev/null
check "scenes: an unknown set is refused" [ $? -eq 2 ]

if [ ! -f weights/demo/segmenter.wsam ]; then
    echo "ok - demo weights # SKIP weights/demo/segmenter.wsam is not there"
    exit 0
fi
"$build/weaksam" verify weights/demo/segmenter.wsam >"$dir/verify"
check "the shipped segmenter is sound" [ $? -eq 0 ]
"$build/demo/evaluate" -m weights/demo/segmenter.wsam --count 60 >"$dir/figures"
check "evaluation runs" [ $? -eq 0 ]
above() { # line, bound
    awk -v line="$1" -v bound="$2" 'index($0, line) { found = $NF >= bound } END { exit !found }' "$dir/figures"
}
cat "$dir/figures"
check "one click: mean IoU" above "click, best of three" 0.78
check "a box: mean IoU" above "box, single mask" 0.80

if [ ! -f weights/demo/clues.wsam ]; then
    echo "ok - clue weights # SKIP weights/demo/clues.wsam is not there"
    exit 0
fi
"$build/demo/evaluate_clues" -m weights/demo/clues.wsam --count 60 >"$dir/figures"
check "evaluation of clues runs" [ $? -eq 0 ]
cat "$dir/figures"
check "image-level classification: mean AP" above "image-level classification" 0.85
