#!/bin/sh
# What reviewing brings: a simulated person looks at drawn pictures, the head learns from it, and finds objects on pictures that nobody
# reviewed. Ranked order against random order. Prints Markdown; a run that was stopped goes on in OUT.
#
# The person accepts boxes of IoU 0.5 and the right class, rejects others and draws what is missing. Twice a round it is looked at whether
# what was decided is still there byte for byte, and nothing rejected is back.
#
# The stages one by one: labels are chosen from the head's scores alone, where run --learn takes the mean of these and the clues'.
#
# usage: make review-loop, or demo/review_loop.sh > TABLE.md after make all build/tests/person build/demo/scenes
#
# POOL (300) pictures to review, TEST (100) others, COUNTS ("20 50 100") of reviewed ones, SEEDS (3), SIDE (10: grid of points), SIZE
# (240,180), EPOCHS (fitted to the set), PRESET (fast), BUILD (build), OUT (build/review_loop, kept)
set -eu
build=${BUILD:-build}
w=$build/weaksam
out=${OUT:-$build/review_loop}
counts=${COUNTS:-20 50 100}
segmenter=weights/demo/segmenter.wsam
clues=weights/demo/clues.wsam
preset=${PRESET:-fast}
epochs=${EPOCHS:+--epochs $EPOCHS}
. tests/scripts/decisions.sh
mkdir -p "$out"

# once FILE COMMAND...: unless the file is there
once() {
    [ -e "$1" ] && return
    shift
    "$@" >&2
}
ap50() { # test folder, detections
    "$w" eval --gt "$1/instances.json" --dt "$2" --kind bbox --json --quiet | sed -n 's/.*"AP50":\([-0-9.e]*\).*/\1/p' |
        awk '{ printf "%.1f\n", 100 * $1 }'
}
kept() { # reviewed, file, where
    decided "$1" | grep -v '"review"' >"$dir/was"
    decided "$2" | grep -v '"review"' >"$dir/now"
    cmp -s "$dir/was" "$dir/now" || { echo "decisions changed: $3" >&2; exit 1; }
    [ "$(resurrected "$2")" -eq 0 ] || { echo "rejected ones are back: $3" >&2; exit 1; }
}
measure() { # head, detections: in a folder of their own, as images.json beside them names their classes
    mkdir -p "${2%/*}"
    "$w" detect --head "$1" --features "$base/test.features" "$base/test.jsonl" -o "$2" --quiet
}
learn() { # labels, head, labels that it chooses
    # shellcheck disable=SC2086
    "$w" train --stage retrain --preset "$preset" --features "$base/run/learn/features" --pgt "$1" --seed "$seed" \
        $epochs "$base/run/proposals.jsonl" -o "$2" --quiet
    "$w" score "$base/run/proposals.jsonl" --head "$2" --features "$base/run/learn/features" --labels "$base/pool/labels.csv" \
        --images "$base/pool/images" -o "$dir/scores.json" --image-ids "$base/run/images.json" --quiet
    "$w" pgt "$dir/scores.json" --reviewed "$dir/reviewed.$n.json" -o "$3" --quiet
}
round() { # before, count
    before=$1 n=$2
    # who comes next, after those of before
    "$w" review "$dir" --data "$dir/labels.$before.json" --audit "$audit" --seed "$seed" --print-order | cut -f 1 >"$dir/order"
    cut -f 1 "$dir/names.$before" | grep -vxF -f - "$dir/order" | head -n $((n - before)) >"$dir/new" || true
    [ "$before" -gt 0 ] || head -n "$n" "$dir/order" >"$dir/new"
    cat "$dir/names.$before" "$dir/new" >"$dir/names.$n"
    "$build/tests/person" "$dir/labels.$before.json" "$base/pool/instances.json" "$dir/by_person.json" "$n" 0 "$dir/new"
    if [ "$before" -gt 0 ]; then
        "$w" join "$dir/reviewed.$before.json" "$dir/by_person.json" -o "$dir/reviewed.$n.json" --quiet
    else
        cp "$dir/by_person.json" "$dir/reviewed.$n.json"
    fi
    cp "$dir/reviewed.$n.json" "$dir/reviewed.json"
    "$w" pgt "$base/run/learn/scores.json" --reviewed "$dir/reviewed.$n.json" -o "$dir/pgt.$n.json" --quiet
    kept "$dir/reviewed.$n.json" "$dir/pgt.$n.json" "pgt, $n reviewed"
    # as run --learn does after a review: on the first head's labels, then on those that the second one chose
    learn "$dir/pgt.$n.json" "$dir/again.wsam" "$dir/again.json"
    learn "$dir/again.json" "$dir/head.$n.wsam" "$dir/labels.$n.json"
    kept "$dir/reviewed.$n.json" "$dir/labels.$n.json" "labels, $n reviewed"
    mkdir -p "$dir/learn"
    cp "$dir/labels.$n.json" "$dir/learn/boxes.json"
    measure "$dir/head.$n.wsam" "$dir/test.$n/found.json"
}

for seed in $(seq 1 "${SEEDS:-3}"); do
    base=$out/$seed
    mkdir -p "$base"
    size=${SIZE:-240,180}
    common="--clue-model $clues --clue-max-side 192"
    once "$base/pool/instances.json" "$build/demo/scenes" -o "$base/pool" --count "${POOL:-300}" --seed $((seed * 1000000)) --size "$size"
    once "$base/test/instances.json" "$build/demo/scenes" -o "$base/test" --count "${TEST:-100}" --seed $((seed * 1000000 + 500000)) --size "$size"
    # shellcheck disable=SC2086
    once "$base/run/final.json" "$w" run "$base/pool/images" --labels "$base/pool/labels.csv" -m $segmenter $common \
        --points-per-side "${SIDE:-10}" --seed "$seed" -o "$base/run" --learn --preset "$preset" $epochs --log-interval 60
    once "$base/test.jsonl" "$w" propose -m $segmenter "$base/test/images" --points-per-side "${SIDE:-10}" --no-masks -o "$base/test.jsonl" --quiet
    # shellcheck disable=SC2086
    once "$base/test.features" "$w" train --stage features --preset "$preset" $common --like "$base/run/learn/features" \
        --images "$base/test/images" "$base/test.jsonl" -o "$base/test.features" --quiet
    for arm in ranked random; do
        dir=$base/$arm
        audit=0.4
        [ $arm = ranked ] || audit=1
        mkdir -p "$dir/learn"
        if [ ! -e "$dir/test.0/found.json" ]; then
            : >"$dir/names.0"
            cp "$base/run/learn/boxes.json" "$dir/labels.0.json"
            cp "$base/run/pgt.json" "$dir/pgt.json"
            cp "$base/run/learn/pgt.json" "$base/run/learn/features" "$dir/learn"
            measure "$base/run/learn/head.wsam" "$dir/test.0/found.json"
        fi
        before=0
        for n in $counts; do
            [ -e "$dir/test.$n/found.json" ] || round "$before" "$n"
            before=$n
        done
    done
done

echo "AP50 of boxes on ${TEST:-100} pictures that nobody reviewed, from $(seq 1 "${SEEDS:-3}" | wc -l) seed(s): ${POOL:-300} pictures in the pool."
echo
printf '| order | seed |'
for n in 0 $counts; do printf ' %s reviewed |' "$n"; done
printf '\n|---|---|'
for n in 0 $counts; do printf '%s' '---:|'; done
echo
for arm in ranked random; do
    for seed in $(seq 1 "${SEEDS:-3}"); do
        printf '| %s | %s |' "$arm" "$seed"
        for n in 0 $counts; do printf ' %s |' "$(ap50 "$out/$seed/test" "$out/$seed/$arm/test.$n/found.json")"; done
        echo
    done
done
