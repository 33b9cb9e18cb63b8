#!/bin/sh
# Submits a run that learns, as a chain of jobs:
#
#   deploy/slurm/learn.sh SHARDS DIR --labels LABELS -m MODEL.wsam -o OUT --learn [OPTION...]
#
#   1  an array: each shard describes the regions of its images      (nothing to do where a clue
#   2  one node: clues are learnt from the regions of all             network knows all classes)
#   3  an array: the stages, with the clues; features go to OUT/learn/maps
#   4  one node: the final files; with --learn, heads are trained on the features of all shards where they
#      lie, without a copy, and label the images
#
# From the environment: what submit.sh takes. Prints the numbers of the jobs. The files are those of one machine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 2 ] || ! [ "$1" -gt 0 ] 2>/dev/null; then
    echo "usage: learn.sh SHARDS DIR --labels LABELS -m MODEL.wsam -o OUT [--learn] [OPTION...]" >&2
    exit 64
fi
shards=$1
shift
# The options are words: they are split on purpose.
# shellcheck disable=SC2086
regions=$(sbatch --parsable --array="0-$((shards - 1))${WEAKSAM_AT_ONCE:+%$WEAKSAM_AT_ONCE}" --mem="${WEAKSAM_MEM:-4096}M" \
    ${SBATCH_OPTIONS:-} "$here/shard.sbatch" "$shards" "$@" --clues-only)
# What a shard did not describe is described here.
# shellcheck disable=SC2086
clues=$(sbatch --parsable --dependency="afterany:${regions%%;*}" ${MERGE_OPTIONS:-} "$here/one.sbatch" "$@" --clues-only)
# Without clues nothing behind them is of use: those jobs go, too.
stages="--dependency=afterok:${clues%%;*} --kill-on-invalid-dep=yes"
echo "${regions%%;*} ${clues%%;*} $(SBATCH_OPTIONS="${SBATCH_OPTIONS:-} $stages" "$here/submit.sh" "$shards" "$@")"
