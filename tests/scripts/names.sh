#!/bin/sh
# Functions are where one looks for them: each shares a word with the name of its file, or ARCHITECTURE.md says where it is.
#
# usage: tests/scripts/names.sh BUILD
#
# Looked at are the symbols of BUILD's objects. Exempt are kernels of one level (their rule is the end of the file's name),
# and NAME_default and NAME_free, which are beside the call they belong to. Rows of the table in ARCHITECTURE.md are
# `PATTERN`, ... | `FILE`, ...; one that leads to no function is a fault, too.
set -u
build=${1:?usage: tests/scripts/names.sh BUILD}
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

find base kernels runtime weights pipeline cli -name '*.c' ! -path 'kernels/x86/*' ! -path 'kernels/arm/*' | sort |
    while read -r f; do
        [ -e "$build/${f%.c}.o" ] || continue
        nm "$build/${f%.c}.o" | awk -v f="$f" '$2 == "T" && $3 ~ /^(ws|wsam|cli)_/ { print f, $3 }'
    done >"$work/functions"
[ -s "$work/functions" ] || { echo "names.sh: no objects in $build"; exit 2; }

# Rows: pattern, file.
sed -n 's/^| \(`.*`\) | \(`[a-z].*\.c`\) |$/\1|\2/p' ARCHITECTURE.md | tr -d '` ' |
    awk -F'|' '{ n = split($1, p, ","); m = split($2, f, ","); for (i = 1; i <= n; i++) for (k = 1; k <= m; k++) print p[i], f[k] }' \
        >"$work/rows"

awk '
    function same(a, b) { # words, endings aside
        if (a == b) return 1
        if (length(a) > 3 && length(b) > 3 && substr(a, 1, 5) == substr(b, 1, 5)) return 1
        return length(a) > 2 && length(b) - length(a) < 3 && index(b, a) == 1 ||
            length(b) > 2 && length(a) - length(b) < 3 && index(a, b) == 1
    }
    function shares(name, file,   i, k, n, m, words, parts) {
        sub(/.*\//, "", file); sub(/\.c$/, "", file)
        n = split(name, words, "_"); m = split(file, parts, "_")
        for (i = 2; i <= n; i++) for (k = 1; k <= m; k++) if (same(words[i], parts[k])) return 1
        return 0
    }
    FILENAME == ARGV[1] { pattern[NR] = $1; gsub(/\*/, ".*", pattern[NR]); row[NR] = $0; at[NR] = $2; rows = NR; next }
    {
        listed = 0
        for (i = 1; i <= rows; i++) if (at[i] == $1 && $2 ~ "^" pattern[i] "$") { listed = 1; used[i] = 1 }
        total++
        if (!listed && $2 !~ /_(default|free)$/ && !shares($2, $1)) { print $1 ": " $2; bad = 1 }
    }
    END {
        for (i = 1; i <= rows; i++) if (!(i in used)) { print "ARCHITECTURE.md: no function for the row " row[i]; bad = 1 }
        if (!bad) print "names: " total " functions, all in files of their name or in the table"
        exit bad
    }' "$work/rows" "$work/functions"
