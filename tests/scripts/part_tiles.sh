# The level amx on the C model of tiles, and a system that refuses tiles. Prints TAP.
tests=$1/tests tmp=$1/tests/tiles.tmp
mkdir -p "$tmp"

result() { # result STATUS NAME: 0 is a pass
    if [ "$1" = 0 ]; then echo "ok - tiles: $2"; else echo "not ok - tiles: $2"; fi
}
skip() {
    echo "ok - tiles: $1 # SKIP $2"
}

# Whether a text stands in a file; the file is shown where it does not.
says() {
    grep -q -- "$1" "$2" || { cat "$2" >&2; return 1; }
}

refused() { # refused NAME: $tmp/out is what a program said that was refused tiles
    says 'a filter of system calls forbids arch_prctl' "$tmp/out"
    result $? "$1 says that the system refuses them"
}

if [ ! -x "$tests/checkkernels_model" ]; then
    skip "C model" "no x86, or its assembler does not know AMX"
    exit 0
fi
if ! "$tests/checkkernels" --isa avx512vnni --family roi >/dev/null 2>&1; then
    skip "C model" "this machine lacks AVX-512 VNNI, which is around it"
    exit 0
fi

"$tests/checkkernels_model" --isa amx >"$tmp/out"
result $? "kernels on the C model"
says 'tiles: C model' "$tmp/out"
result $? "the model ran"
"$tests/mini_run_model" "$1/mini" --isa amx
"$tests/refuse_tiles" "$tests/checkkernels_model" --isa amx >"$tmp/out" 2>&1
if [ $? = 77 ]; then
    skip "refusal" "no filter of system calls here"
else
    refused "the checker"
fi

if ! "$tests/checkkernels" --isa amx --family tiles >"$tmp/out" 2>&1; then
    skip "tiles of this machine" "$(sed -n 's/^checkkernels: /level amx: /p' "$tmp/out" | head -n 1)"
    exit 0
fi
says 'tiles: AMX' "$tmp/out"
result $? "this machine's tiles"
"$tests/refuse_tiles" "$1/weaksam" kernels >"$tmp/out" 2>&1
refused "weaksam kernels"
"$tests/refuse_tiles" "$1/weaksam" kernels --json >"$tmp/out" 2>&1
says '"best":"avx512vnni"' "$tmp/out"
result $? "the next level is the best one then"
"$tests/checkkernels" --small-signal-stack --isa amx >"$tmp/out" 2>&1
says 'an alternate signal stack is too small' "$tmp/out"
result $? "a small signal stack is named"
