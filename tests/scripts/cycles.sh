#!/bin/sh
# The order of the house: no cycle between files, no include that points up, no crowded ground floor, no long file.
#
# usage: tests/scripts/cycles.sh BUILD
#
# A file depends on the headers it includes and on the files whose functions it calls (the symbols of BUILD's objects). A
# file and those that are the same code for an instruction set (vector.c, x86/vector_avx2.c) are one.
set -u
build=${1:?usage: tests/scripts/cycles.sh BUILD}
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
bad=0
complain() { # what, list
    [ -z "$2" ] && return
    echo "$1:"
    echo "$2" | sed 's/^/  /'
    bad=1
}

rooms='base kernels runtime weights pipeline cli'
find $rooms include -name '*.[ch]' | sort >"$work/files"

# ---- edges: includes ----
xargs grep -H '^#include "' <"$work/files" | sed 's/:#include "/ /; s/".*//' |
    awk 'NR == FNR { here[$1] = 1; next } $2 in here' "$work/files" - >"$work/includes"
# ---- edges: calls ----
sed -n 's/\.c$//p' "$work/files" | while read -r f; do
    [ -e "$build/$f.o" ] || continue
    nm "$build/$f.o" | awk -v f="$f.c" 'NF == 3 && $2 ~ /[TDRBCV]/ { print "d", $3, f } NF == 2 && $1 == "U" { print "u", $2, f }'
done >"$work/symbols"
[ -s "$work/symbols" ] || { echo "cycles.sh: no objects in $build"; exit 2; }
awk '$1 == "d" { at[$2] = $3; next } { use[$3 " " $2] = 1 }
    END { for (k in use) { split(k, p, " "); if (p[2] in at && at[p[2]] != p[1]) print p[1], at[p[2]] } }' "$work/symbols" |
    sort -u >"$work/calls"

# ---- cycles ----
# One name for the versions of a file: kernels/x86/vector_avx2.c is kernels/vector.c.
merge='s#/(x86|arm)/#/#g; s#_(c|avx2|avxvnni|avx512|avx512vnni|avx512bf16|amx|neon|dotprod|i8mm)\.c#.c#g'
cat "$work/includes" "$work/calls" | sed -E "$merge" | awk '$1 != $2' | sort -u >"$work/edges"
tsort "$work/edges" >/dev/null 2>"$work/loops"
complain 'files that depend on one another in a circle' "$(sed 's/^tsort: //' "$work/loops")"

# ---- arrows that point up ----
rank() { # of a file's room, for awk
    echo 'function rank(f) {
        sub("/.*", "", f)
        return f == "base" || f == "include" ? 0 : f == "kernels" ? 1 : f == "runtime" || f == "weights" ? 2 : f == "pipeline" ? 3 : 4
    }'
}
complain 'includes and calls that point up' \
    "$(cat "$work/includes" "$work/calls" | awk "$(rank)"' rank($2) > rank($1) { print $1 " -> " $2 }' | sort -u)"

# ---- sizes ----
for room in runtime pipeline; do
    n=$(find $room -maxdepth 1 -name '*.c' | wc -l)
    [ "$n" -le 6 ] || complain "more than six .c files on the ground floor of $room/" "$n"
done
complain 'files of more than 600 lines' "$(find $rooms include demo bench tests -name '*.[ch]' -o -name '*.cc' | sort |
    xargs wc -l | awk '$1 > 600 && $2 != "total" { print $1, $2 }')"

[ $bad -eq 0 ] && echo "files: $(wc -l <"$work/edges") arrows, all down"
exit $bad
