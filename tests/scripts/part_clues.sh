# weaksam clues as a user meets it: a converted checkpoint with class names, labels, maps, refusals.
build=$1
weaksam=$build/weaksam
dir=$build/tests/clues
rm -rf "$dir"
mkdir -p "$dir/pictures"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# Status, words on stderr, nothing on stdout.
refuses() { # status, words, name, arguments...
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr" && [ ! -s "$dir/stdout" ]
    verdict $? "refused: $name"
}

"$weaksam" draw -o "$dir/pictures/a.png" --size 200,150
cp "$dir/pictures/a.png" "$dir/pictures/b.png"
echo "no picture" >"$dir/pictures/c.png"
printf 'image,class\na.png,kea\nb.png,cat,kea\n' >"$dir/labels.csv"
printf 'cat\ndog\nkea\n' >"$dir/names.txt"

"$weaksam" twin weaktr_plain_mini -o "$dir/c.safetensors" &&
    "$weaksam" convert "$dir/c.safetensors" -o "$dir/c.wsam" --classes "$dir/names.txt" --quiet &&
    "$weaksam" verify "$dir/c.wsam" >/dev/null
verdict $? "convert a clue network with class names"

"$weaksam" convert "$dir/c.safetensors" -o "$dir/c8.wsam" --type int8 --classes "$dir/names.txt" --quiet &&
    "$weaksam" verify "$dir/c8.wsam" --against "$dir/c.safetensors" >"$dir/errors" &&
    "$weaksam" verify "$dir/c.wsam" --against "$dir/c.safetensors" >"$dir/zeros" &&
    awk '$1 == "clues" && $3 > 0 && $3 < 0.3 { n++ } END { exit n < 4 }' "$dir/errors" &&
    awk '$1 == "clues" && $3 + $4 == 0 { n++ } END { exit n != 5 }' "$dir/zeros"
verdict $? "the error of int8 against the checkpoint, output by output; none for f32"

"$weaksam" clues -m "$dir/c.wsam" "$dir/pictures" --labels "$dir/labels.csv" --clue-max-side 128 \
    --maps "$dir/maps" --heat "$dir/heat" -o "$dir/points.jsonl" --quiet
verdict $? "clues of a folder with labels"
[ "$(wc -l <"$dir/points.jsonl")" -eq 2 ] && grep -q '"image":"b.png".*"cat".*"kea"' "$dir/points.jsonl" &&
    grep -q '"source":"coarse"' "$dir/points.jsonl" && grep -q '"source":"cross"' "$dir/points.jsonl"
verdict $? "a line of points for every labelled picture"
[ -s "$dir/maps/a.safetensors" ] && [ -s "$dir/heat/b/fine_cat.png" ] && [ ! -e "$dir/heat/a/fine_cat.png" ]
verdict $? "maps for programs and for people"

"$weaksam" clues -m "$dir/c.wsam" "$dir/pictures/a.png" --labels kea --clue-max-side 128 --quiet >"$dir/one.jsonl"
head -n 1 "$dir/points.jsonl" | cmp -s - "$dir/one.jsonl"
verdict $? "one picture gives the line that it has in its folder"

"$weaksam" clues -m "$dir/c.wsam" "$dir/pictures" --labels kea --clue-max-side 64 --quiet >"$dir/bad.jsonl" 2>"$dir/stderr"
[ $? -eq 1 ] && [ "$(wc -l <"$dir/bad.jsonl")" -eq 2 ] && grep -q 'c.png' "$dir/stderr"
verdict $? "a bad picture is reported, the others go on"

refuses 1 "no class of the model" "an unknown class" clues -m "$dir/c.wsam" "$dir/pictures" --labels unicorn
refuses 1 "no images" "a folder without images" clues -m "$dir/c.wsam" "$dir/maps"
refuses 2 "odd" "an even window of one kind" clues -m "$dir/c.wsam" "$dir/pictures" --cross-window 16
refuses 2 "odd" "an even window" clues -m "$dir/c.wsam" "$dir/pictures" --window 16
refuses 1 "memory limit.*smaller --clue-max-side" "a plan above the memory limit" clues -m "$dir/c.wsam" "$dir/pictures/a.png" \
    --labels kea --clue-max-side 0 --max-memory 1500k
refuses 1 "2 class names for 3 classes" "too few class names" convert "$dir/c.safetensors" -o "$dir/d.wsam" --classes cat,dog

# What would write over each other.
cp "$dir/pictures/a.png" "$dir/pictures/a.jpeg"
refuses 1 "two images are called 'a'" "two images for one file of maps" clues -m "$dir/c.wsam" "$dir/pictures" --labels kea --maps "$dir/twice" --quiet
printf 'a.png,kea\na.jpeg,kea\n' >"$dir/twice.csv"
refuses 1 "two images are called 'a'" "and by a list of labels" clues -m "$dir/c.wsam" "$dir/pictures" --labels "$dir/twice.csv" --heat "$dir/twice" --quiet
rm "$dir/pictures/a.jpeg"
[ ! -e "$dir/twice" ]
verdict $? "nothing was written"
"$weaksam" convert "$dir/c.safetensors" -o "$dir/same.wsam" --classes 'a b,a_b,c' --quiet
refuses 1 "'a_b'.* heat maps would have one name" "classes that differ in a blank" clues -m "$dir/same.wsam" "$dir/pictures" --labels c --heat "$dir/twice"
"$weaksam" clues -m "$dir/c.wsam" "$dir/pictures/a.png" --labels kea --clue-max-side 64 --fine-threshold 1 --coarse-max-per-map 1 >"$dir/one.jsonl" 2>"$dir/stderr"
[ "$(grep -o '"source":"coarse"' "$dir/one.jsonl" | wc -l)" -eq 1 ]
verdict $? "limits of one kind of map"
printf 'a.png,kea\n' >"$dir/kea.csv"
"$weaksam" clues -m "$dir/c.wsam" "$dir/pictures" --labels "$dir/kea.csv" --clue-max-side 64 >"$dir/one.jsonl" 2>"$dir/stderr"
grep -q "the class 'kea' is the only one" "$dir/stderr" && grep -q "2 images without labels are left out (b.png, " "$dir/stderr"
verdict $? "one class alone is told of, and pictures without labels"
