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

"$build/demo/scenes" -o "$dir/set" --count 6 --seed 3 --size 320,240
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
check "six images with proposals" [ "$(wc -l <"$dir/proposals.jsonl")" -eq 6 ]

"$w" train --stage features -m "$dir/model.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" -o "$dir/cache" --quiet
check "a feature cache" [ -s "$dir/cache" ]
"$w" train --stage features -m "$dir/model.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" -o "$dir/stopped.cache" \
    --quiet --threads 1 2>"$dir/said" &
pid=$!
sleep 0.3
kill -TERM $pid
wait $pid
stopped=$?
# where the machine is so fast that it was done, it was done
check "stopped features leave nothing" [ -s "$dir/stopped.cache" -o $stopped -ne 0 -a ! -e "$dir/stopped.cache.raw" ]
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
sed 's/"proposals":\[/&{"box":[1,1,15,90],"source":"grid","predicted_iou":0.9,"stability_score":0.9},/' \
    "$dir/proposals.jsonl" >"$dir/thin.jsonl"
"$w" train --stage mil --preset fast --hidden 64 --features "$dir/cache" --labels "$dir/set/labels.csv" --images "$dir/set/images" \
    "$dir/thin.jsonl" -o "$dir/thin.wsam" --quiet --epochs 3 --min-side 20
check "--min-side leaves out what is thinner" cmp "$dir/one.wsam" "$dir/thin.wsam"

check "a checkpoint of other options is refused" says "other options" mil "$dir/x.wsam" --epochs 4 --state "$dir/state"

check "... so are other rates of dropping" says "other options" mil "$dir/x.wsam" --epochs 3 --dropout 0.4 --cell-drop off \
    --decay 0 --state "$dir/state"
mil "$dir/x.wsam" --epochs 4 --state "$dir/state" --force
check "... unless it is forced" [ -s "$dir/state/epoch-04.safetensors" ]
mil "$dir/c.wsam" --epochs 1 --isa c --state "$dir/state-c"
check "a checkpoint of another level is refused" says "level 'c'" mil "$dir/x.wsam" --epochs 1 --state "$dir/state-c"
mil "$dir/bf16.wsam" --epochs 3 --products bf16
check "bf16 products" [ -s "$dir/bf16.wsam" ]

# A picture that nobody labelled is none of the set.
last=$(tail -n 1 "$dir/proposals.jsonl" | sed 's/.*"image":"\([^"]*\)".*/\1/')
grep -v "^$last," "$dir/set/labels.csv" >"$dir/fewer.csv"
grep -v "\"$last\"" "$dir/proposals.jsonl" >"$dir/fewer.jsonl"
fewer() { # output, proposals
    "$w" train --stage mil --preset fast --hidden 64 --features "$dir/cache" --labels "$dir/fewer.csv" --epochs 2 \
        --images "$dir/set/images" "$2" -o "$1" 2>"$dir/said"
}
fewer "$dir/all.wsam" "$dir/proposals.jsonl"
check "images without labels are told of" grep -q "1 of 6 images have no labels" "$dir/said"
fewer "$dir/fewer.wsam" "$dir/fewer.jsonl"
check "... and teach nothing" cmp "$dir/all.wsam" "$dir/fewer.wsam"
check "a line at the end, none for each of short epochs" [ "$(grep -c '^iteration' "$dir/said")" -eq 1 ]

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
    --images "$dir/set/images" -o "$dir/scores.json" --quiet
check "score with a head" [ -s "$dir/scores.json" ]
"$w" pgt "$dir/scores.json" -o "$dir/pgt.json" --quiet
"$w" train --stage retrain --preset fast --hidden 64 --features "$dir/cache" --pgt "$dir/pgt.json" "$dir/proposals.jsonl" \
    -o "$dir/head.wsam" --epochs 3 --state "$dir/state2" --roi-drop indep-v1 --quiet
check "stage 2 and its suspects" [ -s "$dir/state2/pgt_suspects.json" -a -s "$dir/head.wsam" ]

# Stopped and killed again and again: head, checkpoint and log are those of a run that nobody disturbed.
steady() { # stage, output, options...
    stage=$1 out=$2
    shift 2
    case $stage in
    mil) set -- --labels "$dir/set/labels.csv" --images "$dir/set/images" "$@" ;;
    *) set -- --pgt "$dir/pgt.json" --tau-cls 0.5 --tau-reg 0.5 "$@" ;;
    esac
    exec "$w" train --stage "$stage" --preset fast --hidden 32 --batch 2 --epochs 40 --features "$dir/cache" \
        "$dir/proposals.jsonl" -o "$out" --quiet "$@"
}
disturb() { # stage
    begun=$(date +%s%N)
    (steady "$1" "$dir/whole-$1.wsam" --state "$dir/whole-$1")
    took=$((($(date +%s%N) - begun) / 1000000)) # ms; machines differ
    hits=0
    for way in TERM:25 KILL:25 KILL:20 TERM:30 KILL:25 KILL:20; do
        (steady "$1" "$dir/hit-$1.wsam" --state "$dir/hit-$1" 2>"$dir/said") &
        pid=$!
        sleep "$(awk "BEGIN { print $took * ${way#*:} / 100000 }")"
        kill -"${way%:*}" $pid 2>/dev/null && hits=$((hits + 1))
        wait $pid 2>/dev/null
        [ -e "$dir/hit-$1.wsam" ] && break
    done
    (steady "$1" "$dir/hit-$1.wsam" --state "$dir/hit-$1")
    check "$1, disturbed $hits times: the same head" cmp "$dir/whole-$1.wsam" "$dir/hit-$1.wsam"
    check "... the same checkpoint" cmp "$dir/whole-$1/last.safetensors" "$dir/hit-$1/last.safetensors"
    check "... the same log" cmp "$dir/whole-$1/log.jsonl" "$dir/hit-$1/log.jsonl"
    check "... and it was disturbed" [ $hits -gt 0 ]
}
disturb mil
disturb retrain
check "the log tells of RoI drop" grep -q '"iteration":100,"epoch":34,.*"dropped_cls":' "$dir/whole-retrain/log.jsonl"
check "all pseudo labels are counted" [ "$(grep -c '"uses":' "$dir/whole-retrain/pgt_uses.json")" -gt 0 ]

# A disk that is full: status 1, the last good checkpoint as it was, and the run goes on from it.
mkdir -p "$dir/full"
cp "$dir/whole-mil/epoch-20.safetensors" "$dir/full/last.safetensors"
(
    trap '' XFSZ
    ulimit -f 200
    steady mil "$dir/full.wsam" --state "$dir/full"
) 2>"$dir/said"
check "a full disk is told of" [ $? -eq 1 -a "$(grep -c "last.safetensors: " "$dir/said")" -eq 1 ]
check "... and costs no checkpoint" cmp "$dir/whole-mil/epoch-20.safetensors" "$dir/full/last.safetensors"
(steady mil "$dir/full.wsam" --state "$dir/full")
check "... nor the run" cmp "$dir/whole-mil.wsam" "$dir/full.wsam"

"$w" convert "$dir/head.safetensors" -o "$dir/head8.wsam" --type int8
for head in head head8; do
    "$w" detect --head "$dir/$head.wsam" -m "$dir/model.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" \
        -o "$dir/$head.json" --min-score 0 --quiet
    check "detect with $head.wsam" [ -s "$dir/$head.json" ]
done
# New pictures from nothing on; the masks are those that weaksam masks makes of the boxes.
"$w" propose -m "$dir/model.wsam" "$dir/set/images" --points-per-side 3 --no-masks -o "$dir/new.jsonl" --quiet
found() { # output, options...
    out=$1
    shift
    "$w" detect --head "$dir/head.wsam" -m "$dir/model.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" --min-score 0 \
        --max-per-image 5 -o "$out" --quiet "$@"
}
found "$dir/boxes.json"
found "$dir/masks.json" --masks
found "$dir/masks-cached.json" --masks --features "$dir/cache"
"$w" masks -m "$dir/model.wsam" "$dir/boxes.json" "$dir/set/images" --image-ids "$dir/images.json" -o "$dir/masks-later.json" --quiet
outlines() { grep -o '"counts":"[^"]*"' "$1"; }
check "detect --masks" [ "$(outlines "$dir/masks.json" | wc -l)" -eq 30 -a "$(outlines "$dir/masks-cached.json" | wc -l)" -eq 30 ]
check "... are those of weaksam masks" [ "$(outlines "$dir/masks.json")" = "$(outlines "$dir/masks-later.json")" ]
"$w" detect --head "$dir/head.wsam" -m "$dir/model.wsam" --images "$dir/set/images" "$dir/new.jsonl" --masks --min-score 0 \
    -o "$dir/new.json" --quiet
check "propose, detect --masks" [ -s "$dir/new.jsonl" -a -s "$dir/new.json" ]
"$w" detect --head "$dir/head.wsam" --features "$dir/cache" "$dir/proposals.jsonl" --masks -o "$dir/x.json" 2>/dev/null
check "--masks wants a segmenter" [ $? -eq 2 ]
check "no head: refused" says "no detection head" "$w" detect --head "$dir/model.wsam" --features "$dir/cache" \
    "$dir/proposals.jsonl" -o "$dir/x.json"
sed 's/"image":"[^"]*"/"image":"other.png"/' "$dir/proposals.jsonl" | head -n 1 >"$dir/other.jsonl"
check "an image that the cache lacks" says "other.png: not in the feature cache" "$w" detect --head "$dir/head.wsam" \
    --features "$dir/cache" "$dir/other.jsonl" -o "$dir/x.json"
head -c 1000 "$dir/cache" >"$dir/cut"
check "a cut cache is refused" says "damaged" "$w" detect --head "$dir/head.wsam" --features "$dir/cut" \
    "$dir/proposals.jsonl" -o "$dir/x.json"

# The whole loop, from labels of pictures on.
"$w" twin weaktr_mini -o "$dir/clues.safetensors" && "$w" convert "$dir/clues.safetensors" -o "$dir/clues.wsam"
awk -F, 'NR > 1 { $0 = $1 ",class " NR % 3 ",class 7" } { print }' "$dir/set/labels.csv" >"$dir/classes.csv"
learn() { # output, options...
    out=$1
    shift
    "$w" run "$dir/set/images" --labels "$dir/classes.csv" -m "$dir/model.wsam" --clue-model "$dir/clues.wsam" \
        --clue-max-side 64 --points-per-side 4 -o "$out" --learn --preset fast --epochs 2 --quiet "$@"
}
check "run --learn" learn "$dir/run"
for file in mil.wsam pgt.json retrain/pgt_suspects.json head.wsam detections.json masks.json review.html; do
    [ -s "$dir/run/learn/$file" ] || echo "not ok - run --learn gives $file"
done
check "... and no maps: their cache is there" [ ! -e "$dir/run/learn/maps" ]
cp "$dir/run/learn/head.wsam" "$dir/before.wsam"
rm "$dir/run/learn/head.wsam" "$dir/run/learn/mil.wsam" "$dir/run/learn/features"
learn "$dir/run"
check "... goes on with what is missing" cmp "$dir/before.wsam" "$dir/run/learn/head.wsam"
cp "$dir/run/proposals.jsonl" "$dir/proposals_before.jsonl"
check "... learns anew with other options" learn "$dir/run" --seed 2
! cmp -s "$dir/before.wsam" "$dir/run/learn/head.wsam"
check "... which gives another head" [ $? -eq 0 ]
check "... of the same stages" cmp "$dir/proposals_before.jsonl" "$dir/run/proposals.jsonl"
learn "$dir/run"
check "... and back" cmp "$dir/before.wsam" "$dir/run/learn/head.wsam"
# More images: what was learnt stays, and they are labelled by it.
"$build/demo/scenes" -o "$dir/more" --count 2 --seed 4 --size 320,240
mkdir "$dir/grown"
cp "$dir/set/images"/*.jpg "$dir/grown"
cp "$dir/classes.csv" "$dir/grown.csv"
grow() { # options...
    "$w" run "$dir/grown" --labels "$dir/grown.csv" -m "$dir/model.wsam" --clue-model "$dir/clues.wsam" --clue-max-side 64 \
        --points-per-side 4 -o "$dir/growing" --learn --preset fast --epochs 2 "$@" >/dev/null 2>"$dir/said"
}
grow
cp "$dir/growing/learn/head.wsam" "$dir/grown_head.wsam"
for i in 1 2; do
    cp "$dir/more/images/00000$i.jpg" "$dir/grown/more$i.jpg"
    printf 'more%d.jpg,class 1,class 7\n' $i >>"$dir/grown.csv"
done
grow
check "more images leave the head" cmp "$dir/grown_head.wsam" "$dir/growing/learn/head.wsam"
check "... and are scored by it" [ "$(grep -c '"file_name":"more' "$dir/growing/learn/images.json")" -eq 2 ]
check "... and are on the list of masks" grep -q '"file_name":"more2.jpg"' "$dir/growing/learn/masks.json"
check "... without another cache beside" [ ! -e "$dir/growing/learn/features.before" ]
grow --relearn
! cmp -s "$dir/grown_head.wsam" "$dir/growing/learn/head.wsam"
check "--relearn trains again" [ $? -eq 0 ]
learn "$dir/looser" --contained 0.5
for file in pgt.json boxes.json; do
    check "... hands --contained on to $file" grep -q '"contained":0.5[,}]' "$dir/looser/learn/$file"
done
"$w" train --stage features --preset fast --clue-model "$dir/clues.wsam" --clue-max-side 64 --images "$dir/set/images" \
    "$dir/run/proposals.jsonl" -o "$dir/tokens" --quiet
check "the stages' cache is that of its own command" cmp "$dir/tokens" "$dir/run/learn/features"
"$w" detect --head "$dir/run/learn/head.wsam" --clue-model "$dir/clues.wsam" --clue-max-side 64 --images "$dir/set/images" \
    "$dir/run/proposals.jsonl" -o "$dir/tokens.json" --min-score 0 --quiet
check "detect by tokens" [ -s "$dir/tokens.json" ]
check "a head says which maps it wants" says "give --clue-model" "$w" detect --head "$dir/run/learn/head.wsam" \
    -m "$dir/model.wsam" --images "$dir/set/images" "$dir/run/proposals.jsonl" -o "$dir/x.json"
