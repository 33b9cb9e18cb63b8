#!/bin/sh
# A run in shards with mpirun as launcher: rank I does shard I. weaksam needs no MPI library.
#
#   deploy/mpi/run.sh [OPTION OF MPIRUN...] -- DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]
#
# for example deploy/mpi/run.sh -n 16 --hostfile hosts --bind-to none -- photos ... The number of shards is
# the number after -n, -np or -c. mpirun starts nothing again: run the same command once more, and what is
# done is not done again. Then the final files are made here.
set -eu
shards= last= options=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $last in -n | -np | -c) shards=$1 ;; esac
    last=$1
    options="$options $1"
    shift
done
if [ $# -lt 2 ] || ! [ "${shards:-0}" -gt 0 ] 2>/dev/null; then
    echo "usage: run.sh -n SHARDS [OPTION OF MPIRUN...] -- DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]" >&2
    exit 64
fi
shift
weaksam=${WEAKSAM:-weaksam}
# One rank that ends with another status than 0 would end all: failed images are no reason to, and
# Open MPI 4 can be told the same of other statuses.
# shellcheck disable=SC2086
mpirun $options --mca orte_abort_on_non_zero_status 0 "$weaksam" run "$@" --shard "auto/$shards" --steal --no-merge \
    --exit-zero-on-failed-images || echo "run.sh: mpirun ends with $?" >&2
exec "$weaksam" run "$@" --prepared
