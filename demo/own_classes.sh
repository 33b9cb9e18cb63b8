#!/bin/sh
# What image-level labels of classes that no network knows lead to: one command, on drawn pictures of which the learner sees
# nothing but the classes. Prints Markdown; a run that was stopped goes on in OUT.
#
# SIDE=12 takes about three hours of processor time of Zen 5.
#
# usage: demo/own_classes.sh > TABLE.md        after make all build/demo/scenes build/demo/evaluate_clues
#
# TRAIN (800) and TEST (300) pictures, SEEDS (3), SIDE (16: grid of points), EPOCHS (6, the best of 3 to 60: of the head without clues),
# LEARN (--learn: a head on top of the chosen sources and of the ceiling), BUILD (build), OUT (build/own_classes, kept), SEGMENTER and CLUES
# (weights/demo/*.wsam), ROWS ("chance shuffled grid sam shape,look clues chosen ceiling"; all is everything at once), PRINT (1: print the
# table of what is there, and compute nothing)
set -eu
build=${BUILD:-build}
weaksam=$build/weaksam
out=${OUT:-$build/own_classes}
side=${SIDE:-16}
segmenter=${SEGMENTER:-weights/demo/segmenter.wsam}
clues=${CLUES:-weights/demo/clues.wsam}
seeds=$(seq 1 "${SEEDS:-3}")
train=${TRAIN:-800}
learn=${LEARN:---learn}
rows=${ROWS:-chance shuffled grid sam shape,look clues chosen ceiling}
figures=$(dirname "$0")/clue_figures.py
mkdir -p "$out"

# once FILE COMMAND...: unless the file is there. FILE.cpu gets the processor time.
print=${PRINT:-}
once() {
    if [ "$print" ] || [ -e "$1" ]; then return; fi
    made=$1
    shift
    ("$@" >&2; times) >"$out/times"
    sed -n 2p "$out/times" | sed 's/[ms]/ /g' | awk '{ print 60 * $1 + $2 + 60 * $3 + $4 }' >"$made.cpu"
}
scenes() { # set, pictures, seed, options
    [ -e "$out/$1/instances.json" ] || "$build/demo/scenes" -o "$out/$1" --count "$2" --seed "$3" --classes "$4"
}
scenes train "$train" 5000000 new
scenes test "${TEST:-300}" 6000000 new

# ---- figures: mean and spread over the seeds, per cent ----

spread() {
    awk '{ n++; sum += $1; square += $1 * $1 }
        END {
            if (!n) { printf "-"; exit }
            mean = sum / n
            rest = n > 1 ? (square - n * mean * mean) / (n - 1) : 0
            printf "%.1f", mean
            if (n > 1) printf " ± %.1f", sqrt(rest > 0 ? rest : 0)
        }'
}
each() { # pattern of a file with SEED, command that takes the file last
    pattern=$1
    shift
    for seed in $seeds; do
        file=$(echo "$pattern" | sed "s/SEED/$seed/")
        [ ! -e "$file" ] || "$@" "$file"
    done | spread
}
judge() { # set, kind, name, results
    "$weaksam" eval --gt "$out/$1/instances.json" --dt "$4" --kind "$2" --json --quiet | sed -n 's/.*"'"$3"'":\([-0-9.e]*\).*/\1/p' |
        awk '{ print 100 * $1 }'
}
inside() { python3 "$figures" inside "$out/$1/instances.json" "$2"; }
pairs() { python3 "$figures" pairs "$out/$1/instances.json" "$2"; }
recall() { python3 "$figures" recall "$out/$1/instances.json" "$3" "$2"; }
map() { sed -n -e 's/.*"map":\([0-9.]*\),"sources".*/\1/p' -e 's/.*mean AP //p' "$1" | awk '{ print 100 * $1 }'; }
minutes() { # files with seconds of the processor
    cat "$@" 2>/dev/null | awk -v n="$train" '{ s += $1 } END { if (NR) printf "%.1f", s / 60 * 1000 / n; else printf "-" }'
}
row() { # title, set, folder of the results, judgement, files with seconds...
    title=$1 set=$2 folder=$3 judgement=$4
    shift 4
    printf '| %s | %s |' "$title" "$(each "$judgement" map)"
    printf ' %s (%s) |' "$(each "$folder/points.jsonl" inside "$set")" "$(each "$folder/points.jsonl" pairs "$set")"
    for most in 10 20 40; do printf ' %s |' "$(each "$folder/scores.json" recall "$set" $most)"; done
    printf ' %s |' "$(each "$folder/scores.json" judge "$set" corloc mean)"
    printf ' %s |' "$(each "$folder/masks.json" judge "$set" segm AP50)" "$(each "$folder/learn/masks.json" judge "$set" segm AP50)"
    printf ' %s |\n' "$(minutes "$@")"
}

# ---- rows ----

run() { # name, set, options...: all stages
    folder=$out/$1 pictures=$2
    shift 2
    "$weaksam" run "$out/$pictures/images" --labels "$out/$pictures/labels.csv" -m "$segmenter" --points-per-side "$side" -o "$folder" \
        --quiet "$@"
}
# The regions of one seed's run for those of the others, which differ in what is learnt from them: the first run of a row finds its own, so that
# its minutes are those of a run.
share() { # row, seed, end of the folders' names
    if [ "$print" ] || [ -e "$out/$1.$2$3" ]; then return; fi
    mkdir -p "$out/$1.$2$3/clues"
    [ "$2" = 1 ] || cp -r "$out/$1.1$3/clues" "$out/$1.$2$3"
    rm -f "$out/$1.$2$3/clues/key" "$out/$1.$2$3/clues/learnt" "$out/$1.$2$3"/clues/clues.*
}
learn() { # name, labels, folder of regions, options...: a clue file; regions are described once for all
    name=$1 labels=$2 state=$3
    shift 3
    once "$out/$name.wsam" "$weaksam" train --stage clues --images "$out/train/images" --labels "$labels" -m "$segmenter" \
        --points-per-side "$side" -o "$out/$name.wsam" --state "$out/$state" --quiet "$@"
}
source_row() { # title, source, folder of regions, options of both...
    title=$1 source=$2 state=$3
    shift 3
    for seed in $seeds; do
        name=$source.$seed
        learn "$name" "$out/train/labels.csv" "$state" --sources "$source" --seed "$seed" "$@"
        share "$source" "$seed" ""
        once "$out/$name/final.json" run "$name" train --clue-model "$out/$name.wsam" ${1:+--backbone "$clues"} ${1:+--clue-max-side 256}
    done
    row "$title" train "$out/$source.SEED" "$out/$source.SEED.judgement.json" "$out/$source.1/final.json.cpu"
}
chance_row() {
    printf '| all alike; points anywhere | %s |' "$(python3 "$figures" prevalence "$out/train/instances.json" | spread)"
    printf ' %s (100) | | | | | | | |\n' "$(python3 "$figures" chance "$out/train/instances.json" | spread)"
}
# Labels dealt out to other pictures: what a learner makes of nothing.
shuffled_row() {
    awk -F, 'NR == FNR { row[FNR] = $0; sub(/^[^,]*/, "", row[FNR]); n = FNR; next }
        FNR == 1 { print; next } { i = (FNR * 7919) % (n - 1) + 2; print $1 row[i] }' "$out/train/labels.csv" "$out/train/labels.csv" \
        >"$out/shuffled.csv"
    for seed in $seeds; do
        learn "shuffled.$seed" "$out/shuffled.csv" regions --sources shape,look,sam --seed "$seed"
    done
    row 'labels shuffled' train "$out/shuffled.SEED" "$out/shuffled.SEED.judgement.json"
}
# The way without clues: proposals of the grid, and a detection head on the segmenter's maps.
grid_row() {
    once "$out/grid.jsonl" "$weaksam" propose -m "$segmenter" "$out/train/images" --points-per-side "$side" --no-masks -o "$out/grid.jsonl" --quiet
    once "$out/grid.features" "$weaksam" train --stage features -m "$segmenter" --images "$out/train/images" "$out/grid.jsonl" \
        -o "$out/grid.features" --quiet
    for seed in $seeds; do
        folder=$out/grid.$seed
        mkdir -p "$folder"
        once "$folder/mil.wsam" "$weaksam" train --stage mil --epochs "${EPOCHS:-6}" --seed "$seed" --features "$out/grid.features" \
            --labels "$out/train/labels.csv" --images "$out/train/images" "$out/grid.jsonl" -o "$folder/mil.wsam" --quiet
        once "$folder/scores.json" "$weaksam" score "$out/grid.jsonl" --head "$folder/mil.wsam" --features "$out/grid.features" \
            --labels "$out/train/labels.csv" --images "$out/train/images" -o "$folder/scores.json" --quiet
        once "$folder/pgt.json" "$weaksam" pgt "$folder/scores.json" -o "$folder/pgt.json" --quiet
        once "$folder/masks.json" "$weaksam" masks -m "$segmenter" "$folder/pgt.json" "$out/train/images" -o "$folder/masks.json" --quiet
    done
    row "grid and a head, no clues (${EPOCHS:-6} epochs)" train "$out/grid.SEED" none "$out/grid.jsonl.cpu" "$out/grid.features.cpu" \
        "$out"/grid.1/*.cpu
}
chosen_row() {
    for seed in $seeds; do
        name=chosen.$seed
        share chosen "$seed" ""
        share chosen "$seed" .test
        once "$out/$name/final.json" run "$name" train --seed "$seed"
        # shellcheck disable=SC2086
        once "$out/$name/learn/masks.json" run "$name" train --seed "$seed" $learn
        once "$out/$name.test/final.json" run "$name.test" test --clue-model "$out/$name/clues/clues.wsam"
    done
    row '**chosen by the run**' train "$out/chosen.SEED" "$out/chosen.SEED/clues/clues.judgement.json" "$out/chosen.1/final.json.cpu"
    row '... on the test images (labels given)' test "$out/chosen.SEED.test" none
}
ceiling_row() {
    scenes known "$train" 5000000 old
    [ -s "$out/ceiling.map" ] || "$build/demo/evaluate_clues" -m "$clues" --count "$train" --seed 5000000 --size 256 >"$out/ceiling.map"
    for seed in $seeds; do
        name=ceiling.$seed
        # nothing before the head depends on a seed
        [ "$print" ] || [ "$seed" = 1 ] || [ -e "$out/$name" ] || { cp -r "$out/ceiling.1" "$out/$name" && rm -rf "$out/$name/learn"; }
        once "$out/$name/final.json" run "$name" known --clue-model "$clues" --clue-max-side 256
        # shellcheck disable=SC2086
        once "$out/$name/learn/masks.json" run "$name" known --clue-model "$clues" --clue-max-side 256 --seed "$seed" $learn
    done
    row 'ceiling: ten known classes, their own clue network' known "$out/ceiling.SEED" "$out/ceiling.map" "$out/ceiling.1/final.json.cpu"
}

echo "$train training and ${TEST:-300} test images, grid of $side x $side, $(echo "$seeds" | wc -w) seed(s); per cent."
echo
echo "| sources | image mAP, held out | clue points in an object of their class (pairs that have one) | objects found by 10 boxes | 20 | 40 | CorLoc \
| mask AP50 | ... after \`--learn\` | processor minutes per 1000 images |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for r in $rows; do
    case $r in
    chance) chance_row ;;
    shuffled) shuffled_row ;;
    grid) grid_row ;;
    clues) source_row "patches of the network that knows ten others (\`clues\`)" clues regions.network --backbone "$clues" --clue-max-side 256 ;;
    chosen) chosen_row ;;
    ceiling) ceiling_row ;;
    *) source_row "\`$r\`" "$r" regions ;;
    esac
done
