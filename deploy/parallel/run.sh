#!/bin/sh
# A run in shards on machines that ssh reaches and that see the same folders, by GNU parallel:
#
#   HOSTS='2/alpha,2/beta,:' deploy/parallel/run.sh SHARDS DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]
#
# HOSTS as for parallel --sshlogin: N/HOST does N shards at once, `:` is this machine (default). WEAKSAM
# names the program on all of them, SSH the command to reach them. Shards that end with 71, 74 or 75, or
# are killed, are started again, up to six times; what is done is not done again. Then the final files are made here.
set -eu
if [ $# -lt 2 ] || ! [ "$1" -gt 0 ] 2>/dev/null; then
    echo "usage: run.sh SHARDS DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]" >&2
    exit 64
fi
shards=$1
shift
weaksam=${WEAKSAM:-weaksam}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Words of the remote command, quoted for its shell.
quoted=
for word in "$weaksam" run "$@" --steal --no-merge --exit-zero-on-failed-images; do
    quoted="$quoted '$(printf %s "$word" | sed "s/'/'\\\\''/g")'"
done

# --filter-hosts leaves out machines that do not answer; a shard of one that dies goes to another. --termseq:
# as long as run --grace may take.
seq 0 $((shards - 1)) | parallel ${SSH:+--ssh "$SSH"} --sshlogin "${HOSTS:-:}" --filter-hosts --retries 6 --joblog "$log" \
    --termseq TERM,60000,KILL,100 --line-buffer --tagstring 'shard {}' \
    "cd '$(pwd)' && exec$quoted --shard {}/$shards" || echo "run.sh: $? shards did not come to their end" >&2

"$weaksam" status "${OUT:-$(
    last=
    for word in "$@"; do
        case $last in -o | --output) echo "$word" ;; esac
        last=$word
    done
)}" || [ $? -ne 75 ] || exit 75
exec "$weaksam" run "$@" --prepared
