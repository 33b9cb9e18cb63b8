#!/bin/sh
# Runs libFuzzer harnesses for FUZZ_SECONDS each, two at a time; a finding stops with its input kept.
# FUZZ_SEED: 0, the default, tries other inputs each time. FUZZ_RUNS: so many inputs at most.
#
# usage: tests/fuzz/run.sh BUILD HARNESS...
build=$1
shift
programs=$build/tests/fuzz
seeds=$build/seeds
mkdir -p "$seeds/png" "$seeds/jpeg" "$seeds/webp" "$seeds/tiff" "$seeds/weights" "$seeds/torch_zip" "$seeds/torch_legacy" "$seeds/safetensors"
for harness in "$@"; do
    mkdir -p "$seeds/${harness#fuzz_}" "$build/corpus/${harness#fuzz_}"
done
cp tests/data/tiny.zip.pth "$seeds/torch_zip"
cp tests/data/tiny.legacy.pth "$seeds/torch_legacy"
cp tests/data/tiny.safetensors "$seeds/safetensors"
for folder in tests/data/json/*/; do
    name=$(basename "$folder")
    mkdir -p "$seeds/$name" && cp "$folder"* "$seeds/$name"
done
"$programs/seeds" "$seeds" || exit 1

# Words that a harness's inputs are made of.
words() {
    case $1 in
    pickle | pickle_lines | torch_zip | torch_legacy) echo -dict=tests/fuzz/pickle.dict ;;
    safetensors | safetensors_header | dataset | eval | stages | prompts | tensors | journal) echo -dict=tests/fuzz/json.dict ;;
    esac
}

# At most 2 GB, and 10 s for one input. The corpus in tests/fuzz/corpus has what was found once.
fuzz() {
    name=${1#fuzz_}
    mkdir -p "$build/corpus/$name"
    kept=tests/fuzz/corpus/$name
    [ -d "$kept" ] || kept=
    if "$programs/$1" -max_total_time="${FUZZ_SECONDS:-60}" -seed="${FUZZ_SEED:-0}" -rss_limit_mb=2048 -timeout=10 -max_len=8192 \
        -artifact_prefix="$build/$name-" $(words "$name") ${FUZZ_RUNS:+-runs=$FUZZ_RUNS} "$build/corpus/$name" "$seeds/$name" $kept >"$build/$name.log" 2>&1; then
        echo "$1: $(sed -n 's/^Done \([0-9]* runs\).*/\1/p' "$build/$name.log"), nothing found"
    else
        echo "$1: FOUND (input kept as $build/$name-*)"
        grep -E -A 20 'ERROR|runtime error|SUMMARY' "$build/$name.log" | head -40
        return 1
    fi
}

failed=0
while [ $# -gt 0 ]; do
    fuzz "$1" &
    first=$!
    shift
    if [ $# -gt 0 ]; then
        fuzz "$1" || failed=1
        shift
    fi
    wait $first || failed=1
done
exit $failed
