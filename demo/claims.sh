#!/bin/sh
# What learning makes of image-level labels: drawn pictures with nothing but the classes of each go through the stages; a head is
# trained on them (stage 1), pseudo labels are taken from it in three ways, and another head is trained on those (stage 2), with and
# without RoI drop, with a share of the labels spoilt on purpose. Test pictures come without labels. Markdown tables.
#
# usage: demo/claims.sh > TABLES.md       after make all build/demo/scenes build/demo/corrupt
#
# TRAIN (2000) and TEST (500) pictures, SEEDS (3), PRESET (fast or base), EPOCHS (12), METHODS ("top1 fixed adaptive"; surer is
# adaptive, with boxes that only a better one may remove), DROPS ("none joint indep"), SPOILT ("0 20 40", per cent), BUILD (build), OUT
# (a temporary folder, removed; a folder that is named is kept, and a stopped run goes on in it), SEGMENTER, CLUES
# (weights/demo/*.wsam), CLUE_SIZE (256, what the network was trained at), SIDE (16: grid of points; 32 finds 2 % more of the objects in
# three times the time), KEEP (0.15: the adaptive threshold), FIXED (0.2), TAU_CLS, TAU_REG, DROP_START (RoI drop's thresholds of the
# losses and the share of the iterations before it: 4, 4, 0.22), PUBLISHED=1 (those of the paper's figures: 1.0, 3.98, 0.44)
set -eu
build=${BUILD:-build}
weaksam=$build/weaksam
seeds=$(seq 1 "${SEEDS:-3}")
preset=${PRESET:-fast}
epochs=${EPOCHS:-12}
methods=${METHODS:-top1 fixed adaptive}
drops=${DROPS:-none joint indep}
shares=${SPOILT:-0 20 40}
segmenter=${SEGMENTER:-weights/demo/segmenter.wsam}
clues=${CLUES:-weights/demo/clues.wsam}
size=${CLUE_SIZE:-256}
side=${SIDE:-16}
if [ "${PUBLISHED:-0}" = 1 ]; then
    : "${TAU_CLS:=1.0}" "${TAU_REG:=3.98}" "${DROP_START:=0.44}"
fi
thresholds="--tau-cls ${TAU_CLS:-4} --tau-reg ${TAU_REG:-4} --drop-start ${DROP_START:-0.22}"
out=${OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"

# once FILE COMMAND...: unless the file is there
once() {
    [ -e "$1" ] && return
    shift
    "$@" >&2
}

# ---- pictures, proposals, features: once for all variants ----

scenes() { once "$out/$1/instances.json" "$build/demo/scenes" -o "$out/$1" --count "$2" --seed "$3"; }
scenes train "${TRAIN:-2000}" 5000000
scenes test "${TEST:-500}" 6000000
labels=$out/train/labels.csv
truth=$out/train/instances.json
once "$out/run/masks.json" "$weaksam" run "$out/train/images" --labels "$labels" -m "$segmenter" --clue-model "$clues" \
    --clue-max-side "$size" --points-per-side "$side" -o "$out/run"
train=$out/run/proposals.jsonl
# The classes of test pictures are those that the clue network sees.
test=$out/test/proposals.jsonl
once "$out/test/points.jsonl" "$weaksam" clues -m "$clues" "$out/test/images" --clue-max-side "$size" --maps "$out/test/maps" \
    --kinds fine -o "$out/test/points.jsonl" --quiet
once "$out/test/masks.jsonl" "$weaksam" propose -m "$segmenter" "$out/test/images" --points "$out/test/points.jsonl" \
    --points-per-side "$side" -o "$out/test/masks.jsonl" --quiet
mkdir -p "$out/heads" "$out/test/built-in"
once "$out/test/built-in/scores.json" "$weaksam" score "$out/test/masks.jsonl" --maps "$out/test/maps" \
    -o "$out/test/built-in/scores.json" --quiet
cp "$out/test/masks.jsonl" "$test"
features() { # set, proposals, options...
    set=$1 proposals=$2
    shift 2
    [ "$preset" = fast ] || set -- "$@" -m "$segmenter"
    once "$out/$set.features" "$weaksam" train --stage features --clue-model "$clues" --clue-max-side "$size" \
        --images "$out/$set/images" "$proposals" -o "$out/$set.features" --quiet "$@"
}
features train "$train"
features test "$test" --like "$out/train.features"

# ---- heads ----

heads=$out/heads
mkdir -p "$heads"
# Per seed: a head of stage 1, its scores of the training pictures (with their labels) and of the test pictures (without).
first_stage() { # seed
    seed=$1
    head=$heads/$1
    mkdir -p "$head/train" "$head/test"
    once "$head/mil.wsam" "$weaksam" train --stage mil --preset "$preset" --epochs "$epochs" --seed "$seed" \
        --features "$out/train.features" --labels "$labels" --images "$out/train/images" "$train" -o "$head/mil.wsam" --quiet
    once "$head/train/scores.json" "$weaksam" score "$train" --head "$head/mil.wsam" --features "$out/train.features" \
        --labels "$labels" --images "$out/train/images" -o "$head/train/scores.json" --quiet
    once "$head/test/scores.json" "$weaksam" score "$test" --head "$head/mil.wsam" --features "$out/test.features" \
        -o "$head/test/scores.json" --quiet
    for method in $methods; do
        keep=${KEEP:-0.15}
        set -- --method "$method"
        [ "$method" = fixed ] && keep=${FIXED:-0.2}
        [ "$method" = surer ] && set -- --method adaptive --contained-by-higher-score
        once "$head/$method.json" "$weaksam" pgt "$head/train/scores.json" "$@" --keep "$keep" -o "$head/$method.json" --quiet
        once "$head/$method.masks.json" "$weaksam" masks -m "$segmenter" "$head/$method.json" "$out/train/images" \
            -o "$head/$method.masks.json" --quiet
        for share in $shares; do
            [ -e "$head/$method.$share.json" ] ||
                "$build/demo/corrupt" "$head/$method.json" --share "$(awk -v s="$share" 'BEGIN { print s / 100 }')" \
                    --seed "$seed" -o "$head/$method.$share.json" >"$head/$method.$share.ids"
        done
    done
}

second_stage() { # seed, method, share, drop
    name=$heads/$1/$2.$3.$4
    mkdir -p "$name"
    once "$name/head.wsam" "$weaksam" train --stage retrain --preset "$preset" --epochs "$epochs" --seed "$1" --roi-drop "$4" $thresholds \
        --features "$out/train.features" --pgt "$heads/$1/$2.$3.json" "$train" -o "$name/head.wsam" --state "$name/state" --quiet
    once "$name/scores.json" "$weaksam" detect --head "$name/head.wsam" --features "$out/test.features" "$test" \
        --min-score 0.01 -o "$name/scores.json" --quiet
    rm -f "$name"/state/*.safetensors
}

for seed in $seeds; do
    first_stage "$seed"
    for method in $methods; do
        for share in $shares; do
            for drop in $drops; do
                second_stage "$seed" "$method" "$share" "$drop"
            done
        done
    done
done

# ---- tables ----

# One figure of weaksam eval in per cent: figure GROUND_TRUTH KIND NAME RESULTS
figure() {
    "$weaksam" eval --gt "$1" --dt "$4" --kind "$2" --json --quiet | sed -n 's/.*"'"$3"'":\([-0-9.e]*\).*/\1/p' |
        awk '{ print 100 * $1 }'
}
# Mean and standard deviation of the numbers on standard input.
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
# each GROUND_TRUTH KIND NAME PATH: over the seeds, whose heads are in $heads/SEED
each() {
    for seed in $seeds; do figure "$1" "$2" "$3" "$heads/$seed/$4"; done | spread
}
# Of the labels that RoI drop suspects, those that were spoilt, over all seeds.
suspects() { # method, share, drop
    for seed in $seeds; do
        name=$heads/$seed/$1.$2
        grep -o '"annotation_id":[0-9]*' "$name.$3/state/pgt_suspects.json" | sed 's/.*://' |
            awk 'FILENAME == ARGV[1] { bad[$1] = 1; next } { n++; hit += $1 in bad } END { print n + 0, hit + 0 }' "$name.ids" -
    done | awk '{ n += $1; hit += $2 } END { if (n) printf "%.0f of %d", 100 * hit / n, n; else printf "-" }'
}

pictures=$(wc -l <"$train")
echo "$pictures training and $(wc -l <"$test") test pictures, preset $preset, $epochs epochs; per cent, mean and standard deviation of" \
    "$(echo "$seeds" | wc -w) seed(s)."
echo
echo "| scores | CorLoc, training pictures | AP50, test pictures |"
echo "|---|---|---|"
echo "| built-in scorer | $(figure "$truth" corloc mean "$out/run/scores.json" | spread) |" \
    "$(figure "$out/test/instances.json" bbox AP50 "$out/test/built-in/scores.json" | spread) |"
echo "| head of stage 1 | $(each "$truth" corloc mean train/scores.json) |" \
    "$(each "$out/test/instances.json" bbox AP50 test/scores.json) |"
echo
echo "| pseudo labels | a picture | box AP50 | mask AP50 |"
echo "|---|---|---|---|"
for method in $methods; do
    number=$(for seed in $seeds; do
        grep -o '"category_id":' "$heads/$seed/$method.json" | wc -l | awk -v n="$pictures" '{ print $1 / n }'
    done | spread)
    echo "| $method | $number | $(each "$truth" bbox AP50 "$method.json") | $(each "$truth" segm AP50 "$method.masks.json") |"
done
echo
printf '| pseudo labels | RoI drop |'
for share in $shares; do printf ' AP50, %s %% spoilt |' "$share"; done
printf ' spoilt among its suspects, %% |\n|---|---|'
for share in $shares; do printf -- '---|'; done
printf -- '---|\n'
for method in $methods; do
    for drop in $drops; do
        printf '| %s | %s |' "$method" "$drop"
        for share in $shares; do
            printf ' %s |' "$(each "$out/test/instances.json" bbox AP50 "$method.$share.$drop/scores.json")"
        done
        printf ' %s |\n' "$(suspects "$method" "$share" "$drop")"
    done
done
