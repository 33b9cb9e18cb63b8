# weaksam check, and a run that grows, as a user meets them.
build=$1
dir=$build/tests/check
rm -rf "$dir"
mkdir -p "$dir"
w=$build/weaksam

check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; fi
}
says() { # text
    grep -q "$1" "$dir/said"
}

"$build/demo/scenes" -o "$dir/set" --count 8 --seed 9 --size 128,96
awk -F, 'NR > 1 { print $1 "," (NR % 2 ? "gasket" : "flange") }' "$dir/set/labels.csv" >"$dir/labels.csv"
mkdir "$dir/photos"
cp "$dir/set/images"/*.jpg "$dir/photos"
cp "$dir/photos/000001.jpg" "$dir/photos/twice.jpg"
touch "$dir/photos/old.bmp" "$dir/photos/phone.HEIC"
{
    head -n 7 "$dir/labels.csv"
    printf 'twice.jpg,Gaskets\nmissing.jpg,flange\n'
} >"$dir/l.csv"
"$w" check "$dir/photos" --labels "$dir/l.csv" >"$dir/said"
check "check ends well" [ $? -eq 0 ]
check "... says how labels were read" says 'read as CSV'
check "... counts classes" says '  flange: [0-9]* images'
check "... sees what is probably one class" says "probably one class: '.*askets*' ([0-9]*) and '.*askets*'"
check "... images without a row" says 'images without a row: 1, left out (000008.jpg)'
check "... rows without an image" says 'rows without an image: 1'
check "... formats that are ignored" says '1 heic file, '
check "... and bmp" says '1 bmp file, '
check "... and duplicates with other labels" says '000001.jpg = twice.jpg, with other labels'
"$w" check "$dir/set/images" --labels "$dir/set/labels.csv" -m weights/demo/segmenter.wsam --clue-model weights/demo/clues.wsam \
    --quiet >"$dir/said"
check "what a run costs that has to learn its classes" sh -c "'$w' check '$dir/set/images' --labels '$dir/set/labels.csv' \
    -m weights/demo/segmenter.wsam --quiet | grep -q 'a run here: .* and up to a third more to learn the classes; about [0-9]* MB'"
check "what a run costs here" says 'a run here: [0-9.]* s an image on one worker, about .* for 8 images with [0-9]* workers; about [0-9]* MB'

# Grown step by step, the files are those of a run on all at once.
run() { # output, folder, labels, options...
    out=$1 folder=$2 labels=$3
    shift 3
    "$w" run "$folder" --labels "$labels" -m weights/demo/segmenter.wsam --clue-model weights/demo/clues.wsam --clue-max-side 128 \
        --points-per-side 5 -o "$out" "$@" 2>"$dir/said" >/dev/null
}
same() { # folder, folder
    for file in points.jsonl proposals.jsonl scores.json images.json pgt.json masks.json failures.jsonl; do
        cmp "$1/$file" "$2/$file" || return 1
    done
}
mkdir "$dir/few"
for i in 1 2 3 5 7; do cp "$dir/set/images/00000$i.jpg" "$dir/few"; done
run "$dir/grown" "$dir/few" "$dir/set/labels.csv" --skip-missing
check "a first run" [ $? -eq 0 ]
cp "$dir/set/images"/*.jpg "$dir/few"
run "$dir/grown" "$dir/few" "$dir/set/labels.csv" --plan
check "a plan" says '8 images: 5 are done, 3 are new'
run "$dir/grown" "$dir/few" "$dir/set/labels.csv"
check "it grows" says '^8 images, 0 failed'
run "$dir/whole" "$dir/few" "$dir/set/labels.csv"
check "... to the files of a run on all at once" same "$dir/grown" "$dir/whole"
run "$dir/grown" "$dir/few" "$dir/set/labels.csv" --keep 0.05
check "another threshold leaves the first stages" says "8 want pseudo labels and masks alone; 'keep' is 0.3"
run "$dir/other" "$dir/few" "$dir/set/labels.csv" --keep 0.05
check "... and gives the files of a run with it" same "$dir/grown" "$dir/other"
run "$dir/grown" "$dir/few" "$dir/set/labels.csv"
check "... and back" same "$dir/grown" "$dir/whole"
run "$dir/refused" "$dir/few" "$dir/nolabels.csv"
check "what is refused leaves no folder" [ ! -e "$dir/refused" ]
