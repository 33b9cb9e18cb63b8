#!/bin/sh
# What `run --learn` makes of small sets: drawn images, one set for each seed, whose labels and scores before and after learning are
# compared with the truth; beside them the first head after 12 epochs, which used to be the default. Prints Markdown; a run that was
# stopped goes on in OUT.
#
# usage: make learn-seeds, or demo/learn_seeds.sh > TABLE.md after make all build/demo/scenes
#
# COUNT (80) images of each set, SEEDS (5), SIDE (16: grid of points), PRESET (fast), BUILD (build), OUT (build/learn_seeds, kept),
# SEGMENTER and CLUES (weights/demo/*.wsam)
set -eu
build=${BUILD:-build}
w=$build/weaksam
out=${OUT:-$build/learn_seeds}
count=${COUNT:-80}
side=${SIDE:-16}
preset=${PRESET:-fast}
segmenter=${SEGMENTER:-weights/demo/segmenter.wsam}
clues=${CLUES:-weights/demo/clues.wsam}
seeds=$(seq 1 "${SEEDS:-5}")

# once FILE COMMAND...: unless the file is there
once() {
    [ -e "$1" ] && return
    shift
    "$@" >&2
}
ap50() { # set, results, kind
    "$w" eval --gt "$1/instances.json" --dt "$2" --kind "$3" --json --quiet | sed -n 's/.*"AP50":\([-0-9.e]*\).*/\1/p' |
        awk '{ printf "%.1f", 100 * $1 }'
}
for seed in $seeds; do
    set=$out/$seed
    mkdir -p "$set"
    once "$set/instances.json" "$build/demo/scenes" -o "$set" --count "$count" --seed $((8100000 + seed * 1000))
    once "$set/run/learn/review.html" "$w" run "$set/images" --labels "$set/labels.csv" -m "$segmenter" --clue-model "$clues" \
        --clue-max-side 256 --points-per-side "$side" --seed "$seed" --learn --preset "$preset" -o "$set/run" --log-interval 60
    once "$set/twelve.wsam" "$w" train --stage mil --preset "$preset" --epochs 12 --seed "$seed" --features "$set/run/learn/features" \
        --labels "$set/labels.csv" --images "$set/images" "$set/run/proposals.jsonl" -o "$set/twelve.wsam" --quiet
    once "$set/twelve.json" "$w" score "$set/run/proposals.jsonl" --head "$set/twelve.wsam" --features "$set/run/learn/features" \
        --labels "$set/labels.csv" --images "$set/images" -o "$set/twelve.json" --image-ids "$set/run/images.json" --quiet
done

echo "| seed | built-in scores | 12 epochs | first head | second head | labels before | after | masks before | after |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
for seed in $seeds; do
    set=$out/$seed run=$out/$seed/run
    printf '| %s |' "$seed"
    for file in "$run/scores.json" "$set/twelve.json" "$run/learn/scores.json" "$run/learn/detections.json" "$run/pgt.json" \
        "$run/learn/masks.json"; do
        printf ' %s |' "$(ap50 "$set" "$file" bbox)"
    done
    printf ' %s | %s |\n' "$(ap50 "$set" "$run/masks.json" segm)" "$(ap50 "$set" "$run/learn/masks.json" segm)"
done | tee "$out/rows"
awk -F'|' '{ for (i = 3; i < NF; i++) sum[i] += $i; n = NF }
    END { printf "| mean |"; for (i = 3; i < n; i++) printf " %.1f |", sum[i] / NR; print "" }' "$out/rows"
