# weaksam everything as a user meets it: same bytes for any threads, batches and memory; its files; bad
# options.
build=$1
weaksam=$build/weaksam
dir=$build/tests/everything
model=$build/mini/sam_mini.wsam
rm -rf "$dir"
mkdir -p "$dir"
"$build/tests/pictures" "$dir" || echo "not ok - pictures"
card=$dir/card.png

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# Name-derived weights predict little: the filters are open.
everything() {
    "$weaksam" everything -m "$model" --quiet --points-per-side 6 --pred-iou-thresh 0 \
        --stability-score-thresh 0 --box-nms-thresh 0.99 "$@" 2>"$dir/stderr"
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    return $status
}

refuses() { # status, words, name, arguments...
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" everything "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr"
    verdict $? "refused: $name"
}

everything "$card" -o "$dir/a.json" --threads 1 --min-mask-region-area 20 --crop-n-layers 1
verdict $? "one thread"
grep -q '"counts"' "$dir/a.json"
verdict $? "there are masks"
for n in 2 3 7; do
    everything "$card" -o "$dir/b.json" --threads $n --points-per-batch $n \
        --min-mask-region-area 20 --crop-n-layers 1 && cmp "$dir/a.json" "$dir/b.json"
    verdict $? "$n threads, batches of $n"
done

everything "$card" -o "$dir/c.json"
everything "$card" -o "$dir/d.json" --mask-memory 1
cmp "$dir/c.json" "$dir/d.json"
verdict $? "no memory for masks"

everything "$card" "$card" -o "$dir/e.jsonl" && [ "$(wc -l <"$dir/e.jsonl")" -eq 2 ] &&
    head -n 1 "$dir/e.jsonl" | cmp - "$dir/c.json"
verdict $? "a line per picture"
everything "$card" | cmp - "$dir/c.json"
verdict $? "standard output"

everything "$card" -o "$dir/folder" --png --overlay && cmp "$dir/folder/card.json" "$dir/c.json" &&
    [ -s "$dir/folder/card_overlay.png" ] && [ -s "$dir/folder/card/0.png" ] &&
    [ "$(($(wc -l <"$dir/folder/card/metadata.csv") - 1))" -eq "$(find "$dir/folder/card" -name '*.png' | wc -l)" ]
verdict $? "a folder with masks, table and overlay"
[ -z "$(find "$dir" -name '*.tmp')" ]
verdict $? "no temporary files"

refuses 2 "points-per-side" "a grid of no points" -m "$model" "$card" --points-per-side 0
refuses 2 "crop-n-layers" "too many layers" -m "$model" "$card" --crop-n-layers 9
refuses 2 "pred-iou-thresh" "a threshold that is no number" -m "$model" "$card" --pred-iou-thresh x
refuses 2 "jsonl" "two pictures in one object" -m "$model" "$card" "$card" -o "$dir/x.json"
refuses 2 "folder" "an overlay in a file" -m "$model" "$card" --overlay -o "$dir/x.json"
refuses 1 "No such file" "no such picture" -m "$model" "$dir/none.png" -o "$dir/x.json"
refuses 1 "mask_memory" "masks that do not fit" -m "$model" "$card" --points-per-side 4 \
    --pred-iou-thresh 0 --stability-score-thresh 0 --min-mask-region-area 9 --mask-memory 10 \
    -o "$dir/x.json"
[ ! -e "$dir/x.json" ]
verdict $? "nothing half-written"
