# The mini goldens at every level of this machine (mini_run.c prints TAP itself).
"$1/tests/mini_run" "$1/mini"
