#!/bin/sh
# What the stages make of image-level labels: drawn pictures with nothing but the classes of each go through `weaksam run`, and
# `weaksam eval` holds proposals, scores, pseudo boxes and masks against the instances that were drawn.
#
# usage: demo/stages_table.sh > TABLE.md        after make all build/demo/scenes
#
# PICTURES (300), SEED (7700000: pictures of no training), BUILD (build), OUT (a temporary folder, removed; a folder that is named
# is kept, and a stopped run goes on in it), SEGMENTER, CLUES (weights/demo/*.wsam), CLUE_SIZE (256, what the network was trained at),
# SIDE (32: grid of points), KEEP (the adaptive threshold, 0.3), FIXED (the fixed one, 0.2)
set -eu
build=${BUILD:-build}
weaksam=$build/weaksam
pictures=${PICTURES:-300}
seed=${SEED:-7700000}
segmenter=${SEGMENTER:-weights/demo/segmenter.wsam}
clues=${CLUES:-weights/demo/clues.wsam}
keep=${KEEP:-0.3}
fixed=${FIXED:-0.2}
out=${OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
truth=$out/pictures/instances.json

[ -f "$truth" ] || "$build/demo/scenes" -o "$out/pictures" --count "$pictures" --seed "$seed"
"$weaksam" run "$out/pictures/images" --labels "$out/pictures/labels.csv" -m "$segmenter" --clue-model "$clues" \
    --clue-max-side "${CLUE_SIZE:-256}" --points-per-side "${SIDE:-32}" -o "$out/run"

# One figure of weaksam eval: figure KIND NAME RESULTS [OPTION...]
figure() {
    kind=$1 name=$2 results=$3
    shift 3
    "$weaksam" eval --gt "$truth" --dt "$results" --kind "$kind" --json --quiet "$@" |
        sed 's/,"found":{[^}]*}//' | sed -n 's/.*"'"$name"'":\([-0-9.e]*\).*/\1/p'
}

percent() { awk -v part="$1" 'BEGIN { printf "%.1f", 100 * part }'; }

# Proposals of some sources; a proposal begins with its box.
filter() { # pattern of sources
    awk -v want="\"source\":\"($1)\"" '{
        n = split($0, part, /\{"box"/)
        line = part[1]
        mark = ""
        for (i = 2; i <= n; i++) {
            sub(/,$|\]\}$/, "", part[i])
            if (part[i] ~ want) {
                line = line mark "{\"box\"" part[i]
                mark = ","
            }
        }
        print line "]}"
    }' "$out/run/proposals.jsonl"
}

echo "$pictures drawn pictures, $(figure recall objects "$out/run/proposals.jsonl") objects of ten classes; per cent."
echo
echo "| proposals | a picture | recall at IoU 0.5 | 0.75 | 0.9 |"
echo "|---|---|---|---|---|"
proposal_row() { # title, pattern
    filter "$2" >"$out/some.jsonl"
    printf '| %s | %.1f |' "$1" "$(figure recall proposals_per_image "$out/some.jsonl")"
    for iou in 0.5 0.75 0.9; do
        printf ' %s |' "$(percent "$(figure recall $iou "$out/some.jsonl" --iou $iou)")"
    done
    echo
}
proposal_row "grid only" grid
proposal_row "clues only" "coarse|fine|class|cross"
proposal_row "both" ".*"
echo
echo "CorLoc of the best scored box of each class: $(percent "$(figure corloc mean "$out/run/scores.json")")."
echo
echo "| pseudo labels | a picture | correct at IoU 0.5 | objects found | box AP50 | mask AP50 |"
echo "|---|---|---|---|---|---|"
label_row() { # title, options of weaksam pgt
    title=$1
    shift
    "$weaksam" pgt "$out/run/scores.json" --points "$out/run/points.jsonl" "$@" -o "$out/boxes.json" --quiet
    "$weaksam" masks -m "$segmenter" "$out/boxes.json" "$out/pictures/images" -o "$out/masks.json" --quiet
    found=$(figure recall 0.5 "$out/boxes.json" --iou 0.5)
    number=$(figure recall proposals "$out/boxes.json")
    objects=$(figure recall objects "$out/boxes.json")
    printf '| %s | %.1f | %s | %s | %s | %s |\n' "$title" "$(figure recall proposals_per_image "$out/boxes.json")" \
        "$(awk -v f="$found" -v o="$objects" -v n="$number" 'BEGIN { printf "%.1f", n ? 100 * f * o / n : 0 }')" \
        "$(percent "$found")" \
        "$(percent "$(figure bbox AP50 "$out/boxes.json")")" "$(percent "$(figure segm AP50 "$out/masks.json")")"
}
label_row "top-1" --method top1
label_row "top-2" --method top2
label_row "fixed threshold $fixed" --method fixed --keep "$fixed"
label_row "adaptive $keep" --method adaptive --keep "$keep"
label_row "adaptive $keep, contained boxes stay" --method adaptive --keep "$keep" --contained 2
echo
echo "Correct and found: whatever the class (a box of the wrong class on an object counts as a hit); AP: with the class, and by the"
echo "scores as written: adaptive ones are relative to their picture, the best of each class about 1, which no ranking survives."
