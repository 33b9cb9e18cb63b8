#!/bin/sh
# Fifteen functions drawn at random, for a test of names and rooms: somebody who sees only ARCHITECTURE.md and
# the list of files says in which file each of them is. 13 of 15 at the first guess is what we want
# (docs/found.md keeps the answers).
#
# usage: tests/scripts/draw_functions.sh [SEED]    (the hash of HEAD)
seed=${1:-$(git rev-parse HEAD)}
git ls-files 'base/*.c' 'kernels/*.c' 'runtime/*.c' 'weights/*.c' 'pipeline/*.c' 'cli/*.c' |
    xargs grep -hoE '^[a-z][a-z0-9_ ]*[ *]w?s?_?[a-z0-9_]+\([^;]*$' | grep -oE '(wsam|ws|cli|run)_[a-z0-9_]+\(' | sort -u |
    while read -r name; do printf '%s %s\n' "$(printf '%s%s' "$seed" "$name" | sha256sum | cut -c1-16)" "${name%(}"; done |
    sort | head -n 15 | cut -d' ' -f2
