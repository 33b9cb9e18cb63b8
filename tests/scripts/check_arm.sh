#!/bin/sh
# The AArch64 programs under an emulator, one level after the other on every core of this machine.
#
# usage: tests/scripts/check_arm.sh BUILD MINI
build=$1 mini=$2
run() {
    name=$1
    shift
    qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu "$@" >"$build/$name.log" 2>&1 && return
    touch "$build/failed"
}
rm -f "$build/failed"
# The decoders are f32: dotprod and i8mm run the same kernels there as neon.
for isa in neon dotprod i8mm; do
    case $isa in neon) only= ;; *) only=encoder ;; esac
    run "kernels-$isa" "$build/tests/checkkernels" --isa $isa &
    run "mini-$isa" "$build/tests/mini_run" "$mini" --isa $isa --quick ${only:+--only $only}
    wait
    cat "$build/kernels-$isa.log" "$build/mini-$isa.log"
done
[ ! -e "$build/failed" ]
