#!/bin/sh
# The pictures of docs/tutorial.md: plays its steps on drawn pictures and photographs the pages in Chromium.
#
# usage: docs/tutorial.sh [BUILD]        after make all build/demo/scenes; wants chromium, python3 and cwebp (Debian: webp)
#
# OUT: a folder that is kept, and used again where it has results; a temporary one otherwise. The page of the pilot shows 150 images of the
# ten classes that the shipped clue network knows, which is quicker than learning them.
set -eu
build=${1:-build}
. tests/scripts/tutorial.sh
root=$(pwd)
dir=${OUT:-$(mktemp -d)}
weaksam=$root/$build/weaksam

shot() { # NAME ADDRESS HEIGHT
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=8000 --window-size="900,$3" \
        --screenshot="$dir/$1.png" "$2" >/dev/null 2>&1
    cwebp -quiet -q 55 "$dir/$1.png" -o "docs/tutorial/$1.webp"
}

mkdir -p docs/tutorial "$dir"
if ! [ -e "$dir/first/out/final.json" ]; then
    tutorial_begin "$build" "$dir/first" 24
    (cd "$dir/first" && bin/weaksam run photos --labels labels.csv -m sam.wsam -o out)
fi
shot report "file://$dir/first/out/report.html" 760
(cd "$dir/first" && exec "$weaksam" review out --images photos -m sam.wsam --quiet >address) &
server=$!
while ! [ -s "$dir/first/address" ]; do sleep 0.2; done
shot review "$(cat "$dir/first/address")" 620
kill "$server"
wait "$server" || true
rm "$dir/first/address"

if ! [ -e "$dir/pilot/out/final.json" ]; then
    "$build/demo/scenes" -o "$dir/pilot/set" --count 150 --seed 9900000 --size 320,240 >/dev/null
    "$weaksam" run "$dir/pilot/set/images" --labels "$dir/pilot/set/labels.csv" -m weights/demo/segmenter.wsam \
        --clue-model weights/demo/clues.wsam --clue-max-side 192 --points-per-side 6 --scales 1 --keep 0.05 \
        --sources grid,coarse,class -o "$dir/pilot/out" --quiet
fi
[ -e "$dir/pilot/out/reviewed.json" ] ||
    python3 tests/scripts/review_person.py "$weaksam" "$dir/pilot/out" "$dir/pilot/set/images" "$dir/pilot/set/instances.json" 150
"$weaksam" pilot "$dir/pilot/out" --costs 20:1:0.5 --costs 1:5 --quiet
shot pilot "file://$dir/pilot/out/pilot.html" 1050
ls -l docs/tutorial
