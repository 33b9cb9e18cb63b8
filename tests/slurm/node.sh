#!/bin/sh
# weaksam as the nodes of tests/slurm/check_slurm.py run it, with the faults of the round:
# $CHECK/full-NODE has the number of writes after which the node's disk is full; $CHECK/hog-TASK makes
# the task take more memory than it may, once.
program=$CHECK_WEAKSAM
[ "$1" = run ] || exec "$program" "$@"
task=${SLURM_ARRAY_TASK_ID:-merge}
say() { # event, status
    echo "$1 $SLURM_JOB_ID $task ${SLURM_RESTART_COUNT:-0} $SLURMD_NODENAME $(date +%s.%N)${2:+ $2}" >>"$CHECK/events"
}

say begin
# Slurm sends the signal to all processes of the step: this one writes it down.
trap 'say term' TERM
if [ "$task" != merge ] && mv "$CHECK/hog-$task" "$CHECK/hogged" 2>/dev/null; then
    "$program" "$@" &
    sleep 1.5
    set -- -c 'import time
x = bytearray(900 << 20)
time.sleep(40)'
    program=python3
elif [ "$task" != merge ] && [ -e "$CHECK/full-$SLURMD_NODENAME" ]; then
    head -c 65536 /dev/zero >"$CHECK/page.$$"
    FAULT="write $(cat "$CHECK/full-$SLURMD_NODENAME") all 28 $CHECK/page.$$"
    LD_PRELOAD=$CHECK_FAULTS
    export FAULT
fi
LD_PRELOAD=${LD_PRELOAD:-} "$program" "$@" &
child=$!
wait $child
status=$?
while kill -0 $child 2>/dev/null; do
    wait $child
    status=$?
done
say end $status
exit $status
