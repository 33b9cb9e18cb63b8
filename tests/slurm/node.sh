#!/bin/sh
# weaksam as the nodes of tests/slurm/check_slurm.py run it, with the faults of the round:
# $CHECK/full-NODE has the number of writes after which the node's disk is full; $CHECK/hog-TASK makes
# the task take more memory than it may, once.
program=$CHECK_WEAKSAM
[ "$1" = run ] || exec "$program" "$@"
echo "begin $SLURM_JOB_ID ${SLURM_ARRAY_TASK_ID:-merge} ${SLURM_RESTART_COUNT:-0} $SLURMD_NODENAME $(date +%s.%N)" >>"$CHECK/events"
if [ -n "${SLURM_ARRAY_TASK_ID:-}" ] && mv "$CHECK/hog-$SLURM_ARRAY_TASK_ID" "$CHECK/hogged" 2>/dev/null; then
    "$program" "$@" &
    sleep 1.5
    exec python3 -c 'import time
x = bytearray(900 << 20)
time.sleep(40)'
fi
if [ -n "${SLURM_ARRAY_TASK_ID:-}" ] && [ -e "$CHECK/full-$SLURMD_NODENAME" ]; then
    head -c 65536 /dev/zero >"$CHECK/page.$$"
    FAULT="write $(cat "$CHECK/full-$SLURMD_NODENAME") all 28 $CHECK/page.$$"
    export FAULT
    LD_PRELOAD=$CHECK_FAULTS "$program" "$@"
else
    "$program" "$@" &
    child=$!
    # Slurm sends the signal to all processes of the step: this one writes it down.
    trap 'echo "term $SLURM_JOB_ID ${SLURM_ARRAY_TASK_ID:-merge} $(date +%s.%N)" >>"$CHECK/events"' TERM
    wait $child
    status=$?
    while kill -0 $child 2>/dev/null; do
        wait $child
        status=$?
    done
    (exit $status)
fi
status=$?
echo "end $SLURM_JOB_ID ${SLURM_ARRAY_TASK_ID:-merge} ${SLURM_RESTART_COUNT:-0} $SLURMD_NODENAME $(date +%s.%N) $status" >>"$CHECK/events"
exit $status
