#!/bin/sh
# clang-tidy on some files, quiet unless it finds something: tests/scripts/tidy.sh FLAG... FILE...
# Files of an instruction set are parsed with it.
flags= files= isa=
for argument in "$@"; do
    case $argument in
    *_avx2.c | *_avxvnni.c) isa="-mavx2 -mfma -mf16c -mavxvnni" files="$files $argument" ;;
    *.c) files="$files $argument" ;;
    *) flags="$flags $argument" ;;
    esac
done
# shellcheck disable=SC2086 # lists of words
found=$(clang-tidy --quiet $files -- -std=c11 -fopenmp $isa $flags 2>/dev/null) && exit 0
echo "$found"
exit 1
