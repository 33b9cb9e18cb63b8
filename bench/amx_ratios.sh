#!/bin/sh
# What the level amx is worth: whole models at amx against another build at avx512vnni, on a machine with AMX. The two
# builds take turns, so that what else the machine does hits both; a row is the ratio of their best medians. Before it, our
# products beside oneDNN's with all that it can use, and the share of the tile peak of the same run; behind it, whether an f32
# file gives the bytes of avx512 at the level, too.
#
# usage: bench/amx_ratios.sh OLD_BUILD [NEW_BUILD (build)]
#        RUNS (5), THREADS (2), MODELS (NEW_BUILD/bench-models: kept), NAMES (family.type ...), LEVELS (avx512vnni amx),
#        KERNELS (yes: products alone first), BYTES (sam_vit_b; empty: none)
#
# OLD_BUILD is a folder with `weaksam` of before the level, or the same one as NEW_BUILD. Needs `make all bench-programs` in
# NEW_BUILD. LEVELS="avx512vnni avx512bf16" NAMES=mobile_sam.int8 RUNS=1 BYTES=mobile_sam tries the script itself
# on a machine without AMX.
set -eu
old=${1:?usage: bench/amx_ratios.sh OLD_BUILD [NEW_BUILD]}
new=${2:-build}
runs=${RUNS:-5} threads=${THREADS:-2}
models=${MODELS:-$new/bench-models}
names=${NAMES:-sam_vit_b.int8 efficient_sam_ti.int8 mobile_sam.int8 sam_vit_b.bf16}
levels=${LEVELS:-avx512vnni amx}
bytes=${BYTES-sam_vit_b} clicks=64
below=${levels% *} level=${levels#* }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for one in "$old $below" "$new $level"; do
    build=${one% *} isa=${one##* }
    if ! "$build/weaksam" kernels --json | grep -q "\"$isa\":{\"supported\":true"; then
        echo "amx_ratios: $build/weaksam: this machine lacks the level $isa, or the system refuses it:" >&2
        "$build/weaksam" kernels >&2
        exit 1
    fi
done

if [ "${KERNELS:-yes}" = yes ]; then
    "$new/bench/bench_kernels" --brief --isa "$level" --onednn-isa max --threads "$threads" --benchmark_min_time=0.05 \
        --benchmark_repetitions=3
fi

mkdir -p "$models"
model() { # family, type
    [ -f "$models/$1.$2.wsam" ] && return
    [ -f "$out/$1.safetensors" ] || "$new/weaksam" twin "$1" -o "$out/$1.safetensors"
    "$new/weaksam" convert "$out/$1.safetensors" -o "$models/$1.$2.wsam" --type "$2" --quiet
}

once() { # build, level, model: a JSON line per timed region
    "$1/weaksam" bench -m "$3" --isa "$2" --threads "$threads" --what encode,decoder --scenario SingleStream --runs 3 --prompts $clicks --json
}
best() { # region, files of one build: the least of their medians in milliseconds
    region=$1
    shift
    cat "$@" | sed -n "/\"timed_region\":\"$region\"/s/.*\"p50_ms\":\([0-9.]*\).*/\1/p" | sort -n | head -n 1
}

printf '%-42s %10s %10s %8s\n' 'milliseconds' "$below" "$level" ratio
for name in $names; do
    model "${name%.*}" "${name#*.}"
    for i in $(seq "$runs"); do
        once "$old" "$below" "$models/$name.wsam" >"$out/old.$i"
        once "$new" "$level" "$models/$name.wsam" >"$out/new.$i"
    done
    for region in encode decoder; do
        a=$(best $region "$out"/old.*) b=$(best $region "$out"/new.*)
        [ $region = decoder ] && region="$clicks clicks together"
        printf '%-42s %10s %10s %8s\n' "$name, $region" "$a" "$b" "$(awk "BEGIN { printf \"%.2f\", $a / $b }")"
    done
done

[ -n "$bytes" ] || exit 0
model "$bytes" f32
"$new/weaksam" draw --size 640,480 -o "$out/drawn.png"
for isa in avx512 "$level"; do
    "$new/weaksam" encode -m "$models/$bytes.f32.wsam" "$out/drawn.png" -o "$out/$isa.embedding.safetensors" --isa "$isa" --quiet
    "$new/weaksam" segment -m "$models/$bytes.f32.wsam" "$out/drawn.png" --point 320,240 -o "$out/$isa.masks.safetensors" \
        --isa "$isa" --quiet
done
for what in embedding masks; do
    verdict=differ
    cmp -s "$out/avx512.$what.safetensors" "$out/$level.$what.safetensors" && verdict=equal
    echo "$bytes.f32, bytes of the $what at avx512 and $level: $verdict"
done
