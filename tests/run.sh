#!/bin/sh
# Runs every test of a build folder and ends with one line, "N passed, N failed, N skipped".
#
# usage: tests/run.sh BUILD
#
# Each part prints TAP lines ("ok ...", "not ok ...", "ok ... # SKIP reason"); its whole output is kept
# in BUILD/tests/log. Failures and skipped tests are repeated with their reason before the summary.
build=$1
log=$build/tests/log
here=$(dirname "$0")
rm -rf "$log"
mkdir -p "$log"

# A part that ends badly without saying "not ok" (a crash) is one failure.
finish() {
    name=$1 status=$2 tap=$log/$1.tap
    if [ "$status" -ne 0 ] && ! grep -q '^not ok' "$tap"; then
        echo "not ok - $name ended with status $status" >>"$tap"
    elif ! grep -q -e '^ok' -e '^not ok' "$tap"; then
        echo "not ok - $name reported nothing" >>"$tap"
    fi
    printf '%-28s %s passed, %s failed, %s skipped\n' "$name" \
        "$(count "$tap" passed)" "$(count "$tap" failed)" "$(count "$tap" skipped)"
    if grep -q '^not ok' "$tap"; then
        tail -n 60 "$log/$name.txt" | sed 's/^/    /'
    fi
}

count() {
    case $2 in
    passed) grep '^ok' "$1" | grep -vc '# SKIP' ;;
    failed) grep -c '^not ok' "$1" ;;
    skipped) grep '^ok' "$1" | grep -c '# SKIP' ;;
    esac
}

# A program whose standard output is TAP.
part() {
    name=$1
    shift
    "$@" >"$log/$name.txt" 2>&1
    status=$?
    grep -e '^ok' -e '^not ok' "$log/$name.txt" >"$log/$name.tap"
    finish "$name" $status
}

# A Criterion suite. Its test names come back as TAP in a file. A test's own time limit is 300 s.
suite() {
    name=$(basename "$1")
    "$1" --tap="$log/$name.full" --timeout 300 >"$log/$name.txt" 2>&1
    status=$?
    grep -e '^ok' -e '^not ok' "$log/$name.full" 2>/dev/null |
        sed 's/# SKIP *$/# SKIP no reason given/' >"$log/$name.tap"
    finish "$name" $status
}

# The kernel checker reports one line per level and family.
kernels() {
    "$build/tests/checkkernels" >"$log/checkkernels.txt"
    status=$?
    cat "$log/checkkernels.txt"
    awk '$4 == "passed" && $6 == "failed" && $3 + $5 > 0 { # 0: inherited from a lower level
        print ($5 == 0 ? "ok" : "not ok") " - kernels: " $2 " at " $1 }' "$log/checkkernels.txt"
    return $status
}

part kernels kernels
for t in "$build"/tests/test_*; do
    case $t in *.o | *.d) continue ;; esac
    [ -x "$t" ] && suite "$t"
done
for script in "$here"/scripts/part_*.sh; do
    [ -f "$script" ] && part "$(basename "$script" .sh | sed s/part_//)" sh "$script" "$build"
done

echo
cat "$log"/*.tap | grep '^not ok' | sed 's/^not ok/FAILED/'
cat "$log"/*.tap | grep '^ok.*# SKIP' | sed 's/^ok[ 0-9]*- */SKIPPED /; s/# SKIP/:/'
cat "$log"/*.tap >"$log/all"
failed=$(count "$log/all" failed)
echo "$(count "$log/all" passed) passed, $failed failed, $(count "$log/all" skipped) skipped"
[ "$failed" -eq 0 ]
