# weaksam review: who is let in, decisions, masks for clicks, kill -9, reviewed.json.
build=$1
dir=$build/tests/review
if ! command -v python3 >/dev/null; then
    echo "ok - review # SKIP python3 is not installed"
    exit 0
fi
rm -rf "$dir"
mkdir -p "$dir"
"$build/demo/scenes" -o "$dir/set" --count 4 --seed 11 --size 320,240 >/dev/null || echo "not ok - review: pictures"
"$build/weaksam" run "$dir/set/images" --labels "$dir/set/labels.csv" -m weights/demo/segmenter.wsam \
    --clue-model weights/demo/clues.wsam --clue-max-side 256 --points-per-side 8 -o "$dir/out" --quiet >"$dir/log" 2>&1 ||
    { echo "not ok - review: a run"; sed 's/^/# /' "$dir/log"; }
python3 tests/scripts/review_client.py "$build/weaksam" "$dir/out" "$dir/set/images" weights/demo/segmenter.wsam
