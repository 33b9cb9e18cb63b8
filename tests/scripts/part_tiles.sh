# The level amx on the C model of tiles, and a system that refuses tiles. Prints TAP.
tests=$1/tests mini=$1/mini tmp=$1/tests/tiles.tmp
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

# falls_back COMMAND: a refused process names the reason and works at the next level.
falls_back() {
    "$tests/refuse_tiles" "$1" kernels >"$tmp/out" 2>&1
    refused "weaksam kernels"
    "$tests/refuse_tiles" --no-space "$1" kernels >"$tmp/out" 2>&1
    says 'an alternate signal stack is too small' "$tmp/out"
    result $? "weaksam kernels names a signal stack that is too small"
    "$tests/refuse_tiles" "$1" kernels --json >"$tmp/out" 2>&1
    says '"best":"avx512vnni"' "$tmp/out"
    result $? "the next level is the best one then"
    "$tests/refuse_tiles" "$1" inspect "$mini/sam_mini_int8.wsam" --steps >"$tmp/out" 2>&1
    says " gemm_s8_14x32_avx512vnni " "$tmp/out" && ! grep -q _amx "$tmp/out"
    result $? "and its kernels are those that run"
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
# The command on the model: which kernel every product of a graph takes. Those that are not in tiles have f32 weights in
# the file (the small heads, the mask prompt's convolutions) or need f32 sums (the norms of low-rank rows).
"$tests/weaksam_model" kernels --json >"$tmp/out"
says '"amx":{"supported":true' "$tmp/out"
result $? "weaksam kernels shows the level"
f32='iou_prediction_head|output_hypernetworks_mlps|mask_downscaling|cross_attn_image_to_token'
products() { # products BUILD MODEL: the lines of inspect for products and attention
    "$tests/weaksam_model" inspect "$1/mini/$2.wsam" --isa amx --steps | grep -E '^ +(model|image|prompt) ' |
        grep -E ' (gemm|attention|few_token)[a-z_]*_' | grep -v row_variance
}
for type in bf16 int8; do
    products "$1" "sam_mini_$type" >"$tmp/out"
    [ "$(grep -c _amx "$tmp/out")" -ge 80 ] && ! grep -v _amx "$tmp/out" | grep -qvE "$f32"
    result $? "products of a $type file run in tiles: encoder, decoder, transposed convolutions"
done
says ' gemm_s8_32x32_amx ' "$tmp/out"
result $? "int8 among them"
products "$1" sam_mini >"$tmp/out"
[ -s "$tmp/out" ] && ! grep -q _amx "$tmp/out"
result $? "an f32 file runs in no tile"
"$tests/refuse_tiles" "$tests/checkkernels_model" --isa amx >"$tmp/out" 2>&1
if [ $? = 77 ]; then
    skip "refusal" "no filter of system calls here"
else
    refused "the checker"
    falls_back "$tests/weaksam_model"
fi

if ! "$tests/checkkernels" --isa amx --family tiles >"$tmp/out" 2>&1; then
    skip "tiles of this machine" "$(sed -n 's/^checkkernels: /level amx: /p' "$tmp/out" | head -n 1)"
    exit 0
fi
says 'tiles: AMX' "$tmp/out"
result $? "this machine's tiles"
falls_back "$1/weaksam"
"$tests/checkkernels" --small-signal-stack --isa amx >"$tmp/out" 2>&1
says 'an alternate signal stack is too small' "$tmp/out"
result $? "a small signal stack is named"
