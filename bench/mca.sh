#!/bin/sh
# Static throughput of the ARM main loops: cross-compiles the tiles with the build's flags, cuts out each inner
# loop, and asks llvm-mca (19: older ones map newer cores to one table) for cycles per iteration. "limit" is the
# cycles in which the core can issue the loop's multiplies (Arm's optimisation guides): one 128-bit multiply per
# cycle on A53, A55 and A72, 2 on N1, 4 on V1; widening integer multiplies half of that on N1 and V1. On A53 and A55
# sadalp, the second half of the widening product, goes through the same pipe and counts; "per cent" is limit / cycles. LLVM's
# table of the A55 issues two 128-bit fmla in a cycle, which Arm's guide denies: no loop is counted faster than its limit.
#
# Cortex-A72 is counted, not simulated: the busiest of its pipes (A72 guide: multiplies on F0, 128-bit fmla 1 per
# cycle on F0 and F1 together, sadalp on F1, one 128-bit load per cycle, two integer operations, 3 decoded per cycle).
#
# usage: bench/mca.sh > bench/mca.txt      (gcc-aarch64-linux-gnu and llvm-19 from Debian)
MCA=${MCA:-llvm-mca-19}
CC=${CC:-aarch64-linux-gnu-gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$(dirname "$0")/.." || exit 1
order=-fno-schedule-insns,-fno-schedule-insns2,-frename-registers,-fira-region=one # KEPT_ORDER in the Makefile

# file, flags, the multiply instruction of its loop, cores that have it
loops() {
    echo "gemm_f32_8x8_neon - fmla cortex-a53 cortex-a72 cortex-a55 neoverse-n1 neoverse-v1"
    echo "gemm_s8_4x4_neon $order sm[ul][la]l2? cortex-a53 cortex-a72 cortex-a55 neoverse-n1 neoverse-v1"
    echo "gemm_s8_8x12_dotprod -march=armv8.2-a+dotprod,$order sdot cortex-a55 neoverse-n1 neoverse-v1"
    echo "gemm_s8_8x12_i8mm -march=armv8.2-a+dotprod+i8mm+bf16 smmla neoverse-v1"
    echo "gemm_bf16_8x12_i8mm -march=armv8.2-a+dotprod+i8mm+bf16 bfmmla neoverse-v1"
}

# The innermost loop with the most multiplies: from a label to the backward branch to it.
cut_loop() {
    awk -v mul="$2" '
        /^[ \t]*(\.L)?[0-9]+:/ { label = substr($1, 1, length($1) - 1); body = ""; n = 0; next }
        label { body = body $0 "\n"; if ($1 ~ "^" mul "$") n++ }
        label && ($1 ~ /^b(\.|ne|eq|cc|hi|ls)/ || $1 ~ /^cbn?z/) && index($0, label) {
            if (n > best) { best = n; text = body }
            label = ""
        }
        END { sub(/[0-9]+b\n$/, ".L1\n", text); printf "%s", text }' "$1"
}

# Cycles of the busiest pipe of a Cortex-A72 on a loop whose multiplies are $2.
count_a72() {
    awk -v mul="$2" '
        $1 ~ "^" mul "$" { m++ }
        $1 == "sadalp" { f1++ }
        $1 ~ /^ldu?r$/ { l++ }
        $1 == "ldp" { l += 2 }
        $1 ~ /^(add|sub|subs|cmp)$/ { i += 0.5 }
        { d += 1 / 3 }
        function max(a, b) { return a > b ? a : b }
        END { print max(max(max(m, f1), max(l, i)), d) }' "$1"
}

simulate() {
    "$MCA" -mtriple=aarch64-linux-gnu -mcpu="$2" -mattr=+dotprod,+i8mm,+bf16 -iterations=200 "$1" \
        </dev/null 2>"$tmp/err" | awk '/^Total Cycles:/ { print $3 / 200 }'
}

issue() {
    case $1/$2 in
    */cortex-*) echo 1 ;;
    'sm[ul]'*/neoverse-n1) echo 1 ;;
    'sm[ul]'*/neoverse-v1) echo 2 ;;
    */neoverse-n1) echo 2 ;;
    *) echo 4 ;;
    esac
}

echo "# $("$MCA" --version | grep -i version | head -1 | sed 's/^ *//'); $($CC --version | head -1)"
printf '%-24s %-12s %10s %10s %10s %8s\n' loop core multiplies cycles limit 'per cent'
loops | while read -r file flags mul cores; do
    [ "$flags" = - ] && flags=
    flags=$(echo "$flags" | tr , " ")
    # shellcheck disable=SC2086
    $CC -O3 -std=c11 -ffp-contract=off -fno-math-errno -D_GNU_SOURCE -Iinclude -I. $flags \
        -S "kernels/arm/$file.c" -o "$tmp/$file.s" || exit 1
    cut_loop "$tmp/$file.s" "$mul" >"$tmp/$file.loop"
    count=$(awk -v mul="$mul" '$1 ~ "^" mul "$"' "$tmp/$file.loop" | wc -l)
    for core in $cores; do
        case $core in
        cortex-a72) cycles=$(count_a72 "$tmp/$file.loop" "$mul") ;;
        *) cycles=$(simulate "$tmp/$file.loop" "$core") ;;
        esac
        [ -n "$cycles" ] || { cat "$tmp/err" >&2; exit 1; }
        extra=0
        case $core in
        cortex-a5*) extra=$(grep -c sadalp "$tmp/$file.loop") ;;
        esac
        per=$(issue "$mul" "$core")
        awk -v f="$file" -v c="$core" -v n="$count" -v y="$cycles" -v p="$per" -v x="$extra" 'BEGIN {
            limit = n / p + x
            if (y < limit) y = limit
            printf "%-24s %-12s %10d %10.1f %10.1f %7.0f%%\n", f, c, n, y, limit, 100 * limit / y }'
    done
done
