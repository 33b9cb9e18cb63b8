#!/bin/sh
# A finished run grows: MORE drawn images are added to COUNT, which costs little more than they do, and the files are those of a run on
# all of them at once. Prints processor time and says whether both hold.
#
# usage: make check-growth, or sh tests/scripts/growth.sh BUILD       after make all build/demo/scenes
#
# COUNT (1000), MORE (100), SIDE (6: grid of points), SIZE (160,120), MOST (12: per cent of the first run's time), OUT (a temporary folder)
set -eu
build=$1
w=$build/weaksam
count=${COUNT:-1000}
more=${MORE:-100}
out=${OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out/first/images"
all=$out/all
[ -e "$all/instances.json" ] || "$build/demo/scenes" -o "$all" --count $((count + more)) --seed 7300000 --size "${SIZE:-160,120}" >/dev/null
for name in $(ls "$all/images" | head -n "$count"); do ln -f "$all/images/$name" "$out/first/images/$name"; done
head -n $((count + 1)) "$all/labels.csv" >"$out/first/labels.csv"

run() { # set, results: seconds of the processor
    (
        "$w" run "$1/images" --labels "$1/labels.csv" -m weights/demo/segmenter.wsam --clue-model weights/demo/clues.wsam \
            --clue-max-side 128 --points-per-side "${SIDE:-6}" -o "$2" --quiet >/dev/null
        times
    ) | sed -n 2p | sed 's/[ms]/ /g' | awk '{ print 60 * $1 + $2 + 60 * $3 + $4 }'
}
first=$(run "$out/first" "$out/grown")
grown=$(run "$all" "$out/grown")
once=$(run "$all" "$out/once")
share=$(echo "$grown $first" | awk '{ printf "%.1f", 100 * $1 / $2 }')
echo "$count images: $first s of processor time; $more more: $grown s, $share %; all at once: $once s"
for file in final.json masks.json pgt.json scores.json proposals.jsonl points.jsonl; do
    cmp "$out/grown/$file" "$out/once/$file" || exit 1
done
echo "the files of both ways are the same"
echo "$share ${MOST:-12}" | awk '{ exit $1 >= $2 }'
