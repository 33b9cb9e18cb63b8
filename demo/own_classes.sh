#!/bin/sh
# What image-level labels of classes that no network knows lead to: one command, on drawn pictures of which the learner sees
# nothing but the classes. Prints Markdown; a run that was stopped goes on in OUT.
#
# usage: demo/own_classes.sh > TABLE.md        after make all build/demo/scenes
#
# TRAIN (800) and TEST (300) pictures, SEEDS (3), SIDE (16: grid of points), BUILD (build), OUT (build/own_classes, kept), SEGMENTER and
# CLUES (weights/demo/*.wsam), SCENES (options of the picture maker: --classes new; "--classes old" for the ten that the clue network
# knows: the last row is the ceiling then), ROWS ("floor shape shape,look shape,look,sam chosen network")
set -eu
build=${BUILD:-build}
weaksam=$build/weaksam
out=${OUT:-$build/own_classes}
side=${SIDE:-16}
segmenter=${SEGMENTER:-weights/demo/segmenter.wsam}
clues=${CLUES:-weights/demo/clues.wsam}
seeds=$(seq 1 "${SEEDS:-3}")
rows=${ROWS:-floor shape shape,look shape,look,sam chosen network}
mkdir -p "$out"

# once FILE COMMAND...: unless the file is there
once() {
    [ -e "$1" ] && return
    shift
    "$@" >&2
}
# shellcheck disable=SC2086
scenes() { once "$out/$1/instances.json" "$build/demo/scenes" -o "$out/$1" --count "$2" --seed "$3" ${SCENES:---classes new}; }
scenes train "${TRAIN:-800}" 5000000
scenes test "${TEST:-300}" 6000000

# Labels dealt out to other pictures: what a learner makes of nothing.
[ -e "$out/shuffled.csv" ] || awk -F, 'NR == FNR { row[FNR] = $0; sub(/^[^,]*/, "", row[FNR]); n = FNR; next }
    FNR == 1 { print; next } { i = (FNR * 7919) % (n - 1) + 2; print $1 row[i] }' "$out/train/labels.csv" "$out/train/labels.csv" >"$out/shuffled.csv"

# Of one figure of weaksam eval, per cent: figure SET KIND NAME RESULTS
figure() {
    "$weaksam" eval --gt "$out/$1/instances.json" --dt "$4" --kind "$2" --json --quiet | sed -n 's/.*"'"$3"'":\([-0-9.e]*\).*/\1/p' |
        awk '{ print 100 * $1 }'
}
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

train() { # name, seed, labels, options...: a clue file; regions are described once for all of a network and a list of labels
    name=$1 seed=$2 labels=$3
    shift 3
    state=$out/regions.own
    [ "$name" != floor ] || state=$out/regions.floor
    [ "$name" != network ] || state=$out/regions.network
    once "$out/$name.$seed.wsam" "$weaksam" train --stage clues --images "$out/train/images" --labels "$labels" -m "$segmenter" \
        --points-per-side "$side" --seed "$seed" -o "$out/$name.$seed.wsam" --state "$state" --quiet "$@"
}
use() { # name, seed, set, options...: the stages with it
    name=$1 seed=$2 set=$3
    shift 3
    once "$out/$name.$seed.$set/final.json" "$weaksam" run "$out/$set/images" --labels "$out/$set/labels.csv" -m "$segmenter" \
        --clue-model "$out/$name.$seed.wsam" --clue-max-side 256 --points-per-side "$side" -o "$out/$name.$seed.$set" --quiet "$@"
}
row() { # title, name
    printf '| %s | ' "$1"
    for seed in $seeds; do
        sed -n 's/.*"map":\([0-9.]*\),"sources".*/\1/p' "$out/$2.$seed.judgement.json" | awk '{ print 100 * $1 }'
    done | spread
    for what in 'train corloc mean scores' 'train bbox AP50 scores' 'train segm AP50 masks' 'test segm AP50 masks'; do
        # shellcheck disable=SC2086
        set -- "$1" "$2" $what
        printf ' | '
        for seed in $seeds; do
            [ -e "$out/$2.$seed.$3/$6.json" ] && figure "$3" "$4" "$5" "$out/$2.$seed.$3/$6.json"
        done | spread
    done
    printf ' |\n'
}

echo "$(($(wc -l <"$out/train/labels.csv") - 1)) training and $(($(wc -l <"$out/test/labels.csv") - 1)) test images, grid of $side x $side, $(echo "$seeds" | wc -w) seed(s); per cent."
echo
echo "| sources | image mAP, held out | CorLoc, train | box AP50, train | mask AP50, train | mask AP50, test (labels given) |"
echo "|---|---|---|---|---|---|"
for r in $rows; do
    for seed in $seeds; do
        case $r in
        floor) train floor "$seed" "$out/shuffled.csv" --sources shape,look,sam ;;
        chosen) train chosen "$seed" "$out/train/labels.csv" && use chosen "$seed" train && use chosen "$seed" test ;;
        network) train network "$seed" "$out/train/labels.csv" --clue-model "$clues" --clue-max-side 256 &&
            use network "$seed" train --backbone "$clues" && use network "$seed" test --backbone "$clues" ;;
        *) train "$r" "$seed" "$out/train/labels.csv" --sources "$r" ;;
        esac
    done
    case $r in
    floor) row 'labels shuffled' floor ;;
    chosen) row '**chosen**' chosen ;;
    network) row 'and the patches of the network that knows the drawn classes' network ;;
    *) row "$r" "$r" ;;
    esac
done
