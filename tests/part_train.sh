# Learning as a user meets it: features, both stages, detection; interruption and refusals.
build=$1
dir=$build/tests/train
rm -rf "$dir"
mkdir -p "$dir"
w=$build/weaksam

check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; fi
}
says() { # text, command...: fails with status 1, and says so in one line
    text=$1
    shift
    "$@" 2>"$dir/said" >/dev/null
    [ $? -eq 1 ] && grep -q "$text" "$dir/said" && [ "$(wc -l <"$dir/said")" -eq 1 ]
}

"$build/weights/demo/scenes" -o "$dir/set" --count 6 --seed 3 --size 320,240
"$w" twin sam_vit_mini -o "$dir/model.safetensors" && "$w" convert "$dir/model.safetensors" -o "$dir/model.wsam"
# Proposals from the ground truth itself: the model is no trained one.
awk -F: 'BEGIN { RS = "{" } /"file_name"/ { match($0, /"file_name":"[^"]*"/); print substr($0, RSTART + 13, RLENGTH - 14) }' \
    "$dir/set/instances.json" | while read -r image; do
    printf '{"image":"%s","width":320,"height":240,"proposals":[' "$image"
    for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
        [ $i -gt 0 ] && printf ,
        printf '{"box":[%d,%d,%d,%d],"source":"grid","predicted_iou":0.9,"stability_score":0.9}' \
            $((i * 20)) $((i * 10)) $((i * 20 + 60)) $((i * 10 + 70))
    done
    printf ']}\n'
done >"$dir/proposals.jsonl"
check "six pictures with proposals" [ "$(wc -l <"$dir/proposals.jsonl")" -eq 6 ]

"$w" train --stage features -m "$dir/model.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" -o "$dir/cache" --quiet
check "a feature cache" [ -s "$dir/cache" ]
mil() { # output, options...
    out=$1
    shift
    "$w" train --stage mil --preset fast --hidden 64 --features "$dir/cache" --labels "$dir/set/labels.csv" \
        --images "$dir/set/images" "$dir/proposals.jsonl" -o "$out" --quiet "$@"
}
mil "$dir/one.wsam" --epochs 3 --threads 1
check "stage 1" [ -s "$dir/one.wsam.svg" ]
mil "$dir/two.wsam" --epochs 3 --threads 3 --state "$dir/state"
check "threads and checkpoints change nothing" cmp "$dir/one.wsam" "$dir/two.wsam"
check "a checkpoint of other options is refused" says "other options" mil "$dir/x.wsam" --epochs 4 --state "$dir/state"

# SIGTERM: a checkpoint and status 1. The program itself is the job, so that it gets the signal.
"$w" train --stage mil --preset fast --hidden 64 --features "$dir/cache" --labels "$dir/set/labels.csv" \
    --images "$dir/set/images" "$dir/proposals.jsonl" -o "$dir/long.wsam" --quiet --epochs 3000 --state "$dir/state3" \
    2>"$dir/stopped" &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
check "SIGTERM stops with a checkpoint" [ $? -eq 1 -a -s "$dir/state3/last.safetensors" ]
check "... and says where" grep -q "the checkpoint holds it" "$dir/stopped"
check "... without a head" [ ! -e "$dir/long.wsam" ]

"$w" score "$dir/proposals.jsonl" --head "$dir/one.wsam" --features "$dir/cache" --labels "$dir/set/labels.csv" \
    --pictures "$dir/set/images" -o "$dir/scores.json" --quiet
check "score with a head" [ -s "$dir/scores.json" ]
"$w" pgt "$dir/scores.json" -o "$dir/pgt.json" --quiet
"$w" train --stage retrain --preset fast --hidden 64 --features "$dir/cache" --pgt "$dir/pgt.json" "$dir/proposals.jsonl" \
    -o "$dir/head.wsam" --epochs 3 --state "$dir/state2" --roi-drop indep-v1 --quiet
check "stage 2 and its suspects" [ -s "$dir/state2/pgt_suspects.json" -a -s "$dir/head.wsam" ]
"$w" convert "$dir/head.safetensors" -o "$dir/head8.wsam" --type int8
for head in head head8; do
    "$w" detect --head "$dir/$head.wsam" -m "$dir/model.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" \
        -o "$dir/$head.json" --min-score 0 --quiet
    check "detect with $head.wsam" [ -s "$dir/$head.json" ]
done
check "no head: refused" says "no detection head" "$w" detect --head "$dir/model.wsam" --features "$dir/cache" \
    "$dir/proposals.jsonl" -o "$dir/x.json"
head -c 1000 "$dir/cache" >"$dir/cut"
check "a cut cache is refused" says "damaged" "$w" detect --head "$dir/head.wsam" --features "$dir/cut" \
    "$dir/proposals.jsonl" -o "$dir/x.json"
