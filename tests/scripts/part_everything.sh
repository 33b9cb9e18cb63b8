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
        --stability-score-thresh 0 --box-nms-thresh 1 "$@" 2>"$dir/stderr"
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

# Everything that passes the filters covers its points: the logits of these weights stay near 0.
everything "$card" -o "$dir/full.json" --points-per-side 9
for n in 1 2 7; do
    everything "$card" -o "$dir/h$n.json" --points-per-side 9 --hierarchical --confident-logit 0 --threads $n \
        --points-per-batch $n --json --timing
    [ "$(grep -o '"prompts":[0-9]*' "$dir/stderr" | cut -d: -f2)" -lt 81 ] && cmp "$dir/h1.json" "$dir/h$n.json"
    verdict $? "hierarchical: fewer prompts, $n threads"
done
! cmp -s "$dir/full.json" "$dir/h1.json"
verdict $? "hierarchical is another result"

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

# A folder with fewer masks than before keeps none of the old ones, and nothing of other people.
echo mine >"$dir/folder/card/07.png"
everything "$card" -o "$dir/folder" --png --points-per-side 1 &&
    [ "$(($(wc -l <"$dir/folder/card/metadata.csv") - 1))" -eq "$(find "$dir/folder/card" -name '[0-9].png' | wc -l)" ] &&
    [ ! -e "$dir/folder/card/10.png" ] && [ -e "$dir/folder/card/07.png" ]
verdict $? "no masks of an earlier run"

# Pictures that share a name, one of which has the name that another would get.
mkdir -p "$dir/d1" "$dir/d2" "$dir/d3"
cp "$card" "$dir/d1/x.png" && cp "$card" "$dir/d2/x.png" && cp "$card" "$dir/d3/x.1.png"
everything "$dir/d1/x.png" "$dir/d2/x.png" "$dir/d3/x.1.png" -o "$dir/names" &&
    [ "$(find "$dir/names" -name '*.json' | wc -l)" -eq 3 ] &&
    grep -q d1/x.png "$dir/names/x.json" && grep -q d2/x.png "$dir/names/x.1.json"
verdict $? "a file of its own for every picture"

# One picture per worker: what one picture after another gives, with any number of workers, in order.
pictures="$card $dir/d1/x.png $dir/scene.png $dir/d2/x.png $dir/d3/x.1.png $card $card $dir/d1/x.png $card"
"$weaksam" draw --size 200,120 -o "$dir/scene.png"
many() {
    everything --points-per-side 3 "$@"
}
: >"$dir/alone.jsonl"
for p in $pictures; do many "$p" >>"$dir/alone.jsonl"; done
for n in 1 2 3 7; do
    many $pictures -o "$dir/many.jsonl" --threads $n && cmp "$dir/alone.jsonl" "$dir/many.jsonl"
    verdict $? "many pictures, $n at once"
done
many $pictures --threads 5 --workers 2 | cmp - "$dir/alone.jsonl"
verdict $? "many pictures in two workers of two threads"
everything "$card" "$dir/scene.png" -o "$dir/pair1" --png --overlay --threads 1 &&
    everything "$card" "$dir/scene.png" -o "$dir/pair2" --png --overlay --threads 2 &&
    diff -r "$dir/pair1" "$dir/pair2"
verdict $? "folders of several workers"

# A bad picture is told and left out; the others are there.
echo nothing >"$dir/bad.png"
everything "$card" "$dir/bad.png" "$card" -o "$dir/bad.jsonl" --threads 2 >/dev/null
status=$?
[ $status -eq 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q bad.png "$dir/stderr" &&
    [ "$(wc -l <"$dir/bad.jsonl")" -eq 2 ] && head -n 1 "$dir/bad.jsonl" | cmp - "$dir/c.json"
verdict $? "one bad picture of three"

# Memory: groups shrink to the limit; a limit that nothing fits is an error for every picture.
everything "$card" -o "$dir/f.json" --max-memory 32M && cmp "$dir/f.json" "$dir/c.json"
verdict $? "little memory"
"$weaksam" everything -m "$model" "$card" "$card" -o "$dir/f.jsonl" --quiet --max-memory 5M 2>"$dir/stderr"
[ $? -eq 1 ] && [ "$(grep -c 'memory limit' "$dir/stderr")" -eq 2 ]
verdict $? "too little memory for two pictures"

# What is told at the end.
told() {
    "$weaksam" everything -m "$model" "$card" -o "$dir/g.json" --points-per-side 2 "$@" 2>"$dir/stderr"
}
told && grep -q 'own memory [0-9.]* MB' "$dir/stderr"
verdict $? "memory is told"
grep -q 'no mask is left of 12 candidates' "$dir/stderr" && grep -q '12: .*--pred-iou-thresh' "$dir/stderr"
verdict $? "no mask at all is explained"
told --quiet && [ ! -s "$dir/stderr" ]
verdict $? "quiet"
told --json --timing && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q '"load_ms".*"own_bytes":[0-9].*"after_crops"' "$dir/stderr"
verdict $? "counts and memory as JSON"

refuses 2 "points-per-side" "a grid of no points" -m "$model" "$card" --points-per-side 0
refuses 2 "crop-n-layers" "too many layers" -m "$model" "$card" --crop-n-layers 9
refuses 2 "pred-iou-thresh" "a threshold that is no number" -m "$model" "$card" --pred-iou-thresh x
refuses 2 "confident-logit" "a logit that is no number" -m "$model" "$card" --confident-logit x
refuses 2 "jsonl" "two images in one object" -m "$model" "$card" "$card" -o "$dir/x.json"
refuses 2 "folder" "an overlay in a file" -m "$model" "$card" --overlay -o "$dir/x.json"
refuses 1 "No such file" "no such image" -m "$model" "$dir/none.png" -o "$dir/x.json"
refuses 1 "mask_memory" "masks that do not fit" -m "$model" "$card" --points-per-side 4 \
    --pred-iou-thresh 0 --stability-score-thresh 0 --min-mask-region-area 9 --mask-memory 10 \
    -o "$dir/x.json"
[ ! -e "$dir/x.json" ]
verdict $? "nothing half-written"
