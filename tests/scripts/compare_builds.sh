#!/bin/sh
# Release check: two builds write the same bytes.
#
# usage: tests/scripts/compare_builds.sh REFERENCE BUILD [WORK]
#
# REFERENCE and BUILD are build folders (with the command, and BUILD with demo/scenes); WORK is where the outputs go
# (default: a temporary folder, removed at the end). Every command runs on drawn pictures: models of three types on every
# instruction set level of this machine, the stages, data sets and training on the best one. Compared are standard output,
# exit status and all files, byte by byte; what tells times, memory or versions is left out, and error messages are. The
# last line says how many files were equal; the exit status is 1 when one differs.
#
# LEVELS="avx2 avx512" names the levels to compare instead of all.
#
# Run it before a release, and after a change that should move code and not numbers, against a build of the last release.
set -u
[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
old=$(cd "$1" && pwd)
new=$(cd "$2" && pwd)
work=${3:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
in=$work/in
rm -rf "$in" "$work/old" "$work/new"
mkdir -p "$in" "$work/old" "$work/new"

# ---- inputs, made once by the new build ----
segmenters='sam_vit_mini tiny_vit_mini efficient_sam_mini'
others='weaktr_mini dinov2_reg_mini deit_mini mask_rcnn_mini mask_rcnn_detectron2_mini faster_rcnn_old_mini mist_mini'
"$new/demo/scenes" -o "$in/set" --count 6 --seed 3 --size 320,240 >/dev/null || exit 2
scene=$in/set/images/$(ls "$in/set/images" | head -1)
for family in $segmenters $others; do
    "$new/weaksam" twin $family -o "$in/$family.safetensors" 2>/dev/null || rm -f "$in/$family.safetensors"
done
cat >"$in/prompts.jsonl" <<'PROMPTS'
{"id": "a", "points": [[100, 90, 1]], "multimask": true}
{"id": "b", "box": [40, 30, 200, 180], "multimask": false}
{"id": "c", "points": [[160, 120, 1], [20, 20, 1]], "box": [10, 10, 300, 200]}
PROMPTS
ls "$in/set/images" | while read -r image; do
    printf '{"image":"%s","width":320,"height":240,"proposals":[' "$image"
    for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
        [ $i -gt 0 ] && printf ,
        printf '{"box":[%d,%d,%d,%d],"source":"grid","predicted_iou":0.9,"stability_score":0.9}' \
            $((i * 20)) $((i * 10)) $((i * 20 + 60)) $((i * 10 + 70))
    done
    printf ']}\n'
done >"$in/proposals.jsonl"
echo image,class >"$in/labels.csv"
i=0
for image in $(ls "$in/set/images"); do
    echo "$image,class $((i % 3)),class 7" >>"$in/labels.csv"
    i=$((i + 1))
done
levels=
for level in ${LEVELS:-c avx2 avxvnni avx512 avx512vnni avx512bf16 amx neon dotprod i8mm}; do
    WEAKSAM_ISA=$level "$old/weaksam" encode -m "$root/weights/demo/segmenter.wsam" "$scene" -o "$work/probe.safetensors" \
        --quiet >/dev/null 2>&1 && levels="$levels $level"
done
rm -f "$work/probe.safetensors"
echo "levels:$levels"

# ---- every command, by one build, in the folder at hand ----
try() { # name, arguments...
    to=$1
    shift
    "$w" "$@" >"$to.stdout" 2>"$to.stderr"
    echo $? >"$to.status"
}

models() {
    for family in $segmenters $others; do
        [ -e "$in/$family.safetensors" ] || continue
        try twin.$family twin $family -o $family.safetensors
        for type in f32 bf16 int8; do
            try convert.$family.$type convert $family.safetensors -o $family.$type.wsam --type $type --quiet
            try verify.$family.$type verify $family.$type.wsam
        done
    done
    try onnx export-onnx sam_vit_mini.f32.wsam -o onnx --quiet
    try draw draw --size 200,150 -o card.png
}

on_level() { # level
    export WEAKSAM_ISA=$1
    for model in "$root/weights/demo/segmenter.wsam" $(for s in $segmenters; do ls "$s".*.wsam 2>/dev/null; done); do
        name=$1.$(basename "$model" .wsam)
        # C takes seconds for what the others do in a blink.
        case $name in c.tiny* | c.efficient*) continue ;; esac
        try encode.$name encode -m "$model" "$scene" -o encode.$name.safetensors --quiet
        try segment.$name segment -m "$model" "$scene" --prompts "$in/prompts.jsonl" -o segment.$name --quiet
        try point.$name segment -m "$model" --embedding encode.$name.safetensors --point 160,120 -o point.$name --quiet
        case $name in *.efficient*) ;; *) # knows no background points
            try card.$name segment -m "$model" card.png --point 40,30 --point 150,120,0 -o card.$name --quiet ;;
        esac
        try everything.$name everything -m "$model" "$scene" --points-per-side 5 --pred-iou-thresh 0 \
            --stability-score-thresh 0 -o everything.$name.json --quiet
        try plain.$name segment -m "$model" card.png --box 20,20,150,120 --lowering plain -o plain.$name --quiet
    done
    for model in $(for o in $others; do ls "$o".*.wsam 2>/dev/null; done); do
        name=$1.${model%.wsam}
        case $model in
        weaktr*) try clues.$name clues -m "$model" "$scene" --clue-size 96 -o clues.$name.jsonl --quiet ;;
        mist*) try score.$name score -m "$model" --images "$in/set/images" "$in/proposals.jsonl" -o score.$name.json --quiet ;;
        *rcnn*) try detect.$name detect -m "$model" card.png -o detect.$name.json --quiet ;;
        *) try tokens.$name encode -m "$model" "$scene" --max-side 112 -o tokens.$name.safetensors --quiet ;;
        esac
    done
    try clues.$1 clues -m "$root/weights/demo/clues.wsam" "$in/set/images" -o clues.$1.jsonl --maps clues.$1.maps --quiet
    unset WEAKSAM_ISA
}

stages() {
    model=$root/weights/demo/segmenter.wsam
    clues=$root/weights/demo/clues.wsam
    try clues clues -m "$clues" "$in/set/images" --labels "$in/set/labels.csv" -o points.jsonl --maps maps --quiet
    try propose propose -m "$model" "$in/set/images" --points points.jsonl --points-per-side 6 -o proposals.jsonl --quiet
    try score score proposals.jsonl --maps maps -o scores.json --quiet
    try pgt pgt scores.json --points points.jsonl -o pgt.json
    try masks masks -m "$model" pgt.json "$in/set/images" -o masks.json --quiet
    try checksum masks --checksum masks.json
    try report report masks.json "$in/set/images" -o page.html --quiet
    try eval eval --gt "$in/set/instances.json" --dt masks.json
    try eval.kinds eval --gt "$in/set/instances.json" --dt masks.json --kind bbox,segm,voc,corloc --json
    try eval.recall eval --gt "$in/set/instances.json" --dt proposals.jsonl --kind recall
    try check check "$in/set/images" --labels "$in/set/labels.csv"
    for format in coco yolo voc labelme label-studio cvat; do
        try export.$format export masks.json --format $format -o export.$format --quiet
        try import.$format import export.$format --images "$in/set/images" -o import.$format.json --quiet
    done
    try join join masks.json import.coco.json -o join.json
    try pickle import-pickle proposals.jsonl --form dict -o proposals.pkl
    try run run "$in/set/images" --labels "$in/set/labels.csv" -m "$model" --clue-model "$clues" -o run --points-per-side 6 --quiet
    for shard in 0/2 1/2; do
        try run.${shard%/*} run "$in/set/images" --labels "$in/set/labels.csv" -m "$model" --clue-model "$clues" -o shards \
            --points-per-side 6 --shard $shard --quiet
    done
    try merge merge shards
    try features train --stage features -m "$model" --images "$in/set/images" "$in/proposals.jsonl" -o cache --quiet
    try mil train --stage mil --preset fast --hidden 64 --features cache --labels "$in/set/labels.csv" \
        --images "$in/set/images" "$in/proposals.jsonl" -o mil.wsam --epochs 3 --quiet
    try detect detect --head mil.wsam --features cache "$in/proposals.jsonl" -o detections.json --quiet
    try detect.model detect --head mil.wsam -m "$model" --images "$in/set/images" "$in/proposals.jsonl" -o found.json --quiet
}

everything() { # build, folder
    w=$1/weaksam
    cd "$2" || exit 2
    models
    for level in $levels; do
        on_level $level
    done
    stages
}

(everything "$old" "$work/old")
(everything "$new" "$work/new")

# ---- the comparison ----
# Times and memory are in the manifest, status and journals of a run (what journals hold is compared in its final files), in
# training logs, and in what train draws of them.
files() { (cd "$1" && find . -type f ! -name '*.stderr' ! -name '*.tmp' ! -path '*/.status/*' ! -name '*.journal' \
    ! -name timing.json ! -name 'manifest*' ! -name contents.jsonl ! -name '*.log' ! -name '*.svg' ! -name '*.lock' | sort); }
files "$work/old" >"$work/files.old"
files "$work/new" >"$work/files.new"
bad=0 equal=0
cmp -s "$work/files.old" "$work/files.new" || { diff "$work/files.old" "$work/files.new" | sed -n 's/^</only the reference writes/p; s/^>/only the new build writes/p'; bad=1; }
while read -r f; do
    [ -e "$work/new/$f" ] || continue
    if cmp -s "$work/old/$f" "$work/new/$f"; then
        equal=$((equal + 1))
    else
        echo "differs: $f"
        bad=$((bad + 1))
    fi
done <"$work/files.old"
failed=$(cd "$work/new" && grep -L '^0$' ./*.status | sed 's/^..//; s/.status$//' | tr '\n' ' ')
[ -z "$failed" ] || echo "commands that failed in both: $failed"
[ $# -ge 3 ] || rm -rf "$work"
echo "$equal files equal, $bad differences"
[ $bad -eq 0 ]
