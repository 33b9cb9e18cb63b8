#!/bin/sh
# Submits a run in shards, and behind it the job that makes the final files (and learns, with --learn):
#
#   deploy/slurm/submit.sh SHARDS DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]
#
# From the environment: SBATCH_OPTIONS for the tasks (--partition=..., --cpus-per-task=8), MERGE_OPTIONS
# for the last job, WEAKSAM (the program), WEAKSAM_MEM (MB of memory of a task, 4096), WEAKSAM_AT_ONCE
# (tasks at a time). Paths must be those of the nodes. Prints the numbers of both jobs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 2 ] || ! [ "$1" -gt 0 ] 2>/dev/null; then
    echo "usage: submit.sh SHARDS DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]" >&2
    exit 64
fi
shards=$1
shift
round=${WEAKSAM_ROUND:-1}
memory=$((${WEAKSAM_MEM:-4096} * (round > 1 ? 2 : 1)))
export WEAKSAM_DEPLOY="$here"
# The options are words: they are split on purpose.
# shellcheck disable=SC2086
array=$(sbatch --parsable --array="0-$((shards - 1))${WEAKSAM_AT_ONCE:+%$WEAKSAM_AT_ONCE}" --mem="${memory}M" \
    ${SBATCH_OPTIONS:-} "$here/shard.sbatch" "$shards" "$@")
# shellcheck disable=SC2086
merge=$(sbatch --parsable --dependency="afterany:${array%%;*}" ${MERGE_OPTIONS:-} "$here/merge.sbatch" \
    "$round" "$shards" "$@")
echo "${array%%;*} ${merge%%;*}"
