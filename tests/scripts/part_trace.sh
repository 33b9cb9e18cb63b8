# weaksam trace: operator by operator, against the plain lowering, a level and a file.
build=$1
weaksam=$build/weaksam
dir=$build/tests/trace
model=$build/mini/sam_mini.wsam
rm -rf "$dir"
mkdir -p "$dir"

verdict() { # exit status, name
    if [ "$1" -eq 0 ]; then echo "ok - trace: $2"; else echo "not ok - trace: $2"; fi
}
trace() { # status wanted, name, arguments
    want=$1 name=$2
    shift 2
    "$weaksam" trace "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ]
    good=$?
    [ $good -eq 0 ] || { echo "# status $status"; sed 's/^/# /' "$dir/stderr"; }
    verdict $good "$name"
}
says() { # words, name
    grep -q -e "$1" "$dir/stdout" "$dir/stderr"
    verdict $? "$2"
}

"$weaksam" draw --size 200,150 -o "$dir/card.png"
trace 0 'values of every operator' -m "$model" "$dir/card.png" --save "$dir/values.safetensors"
says '^16x16x192 .* image_encoder/blocks.0.attn.qkv:linear  linear$' 'shape, name and step'
says 'mask_decoder/heads.masks:mask_product  upscale' 'of the decoder, too'
trace 0 'equal to the plain lowering within 1e-3' -m "$model" "$dir/card.png" --diff plain
says '^[0-9]* values within 1e-03$' 'and counted'
trace 1 'a tolerance that rounding exceeds' -m "$model" "$dir/card.png" --diff plain --tolerance 1e-12
says '^first beyond 1e-12: image_encoder/blocks.0.attn.qkv:linear ([0-9.]*e-0[78]); ' 'names the first value'
says ' instead of .* at \[[0-9]*,[0-9]*,[0-9]*\]$' 'with both numbers and their place'
trace 0 'against another level' -m "$model" "$dir/card.png" --diff c --steps 'image_encoder/*'
grep -q mask_decoder "$dir/stdout"
[ $? -eq 1 ]
verdict $? 'and only what the pattern names'
trace 0 'equal to its own file, bit by bit' -m "$model" "$dir/card.png" --diff "$dir/values.safetensors" --tolerance 0 --threads 3
trace 1 'another prompt changes the decoder' -m "$model" "$dir/card.png" --diff "$dir/values.safetensors" --tolerance 0 --prompt 20,30,180,100
says '^first beyond 0e+00: mask_decoder/prompt.points:point_tokens ' 'from its points on'
trace 1 'int8 against f32' -m "$build/mini/sam_mini_int8.wsam" "$dir/card.png" --diff "$dir/values.safetensors"
says '^first beyond 1e-03: image_encoder/' 'differs in the encoder first'
trace 0 'JSON' -m "$model" "$dir/card.png" --json --steps '*neck*'
says '^{"name":"image_encoder/neck.0:conv2d","step":"linear","kernel":"[a-z0-9_]*","shape":\[16,16,256\],"lowest":' 'a line per value'
trace 1 'a file without these values' -m "$model" "$dir/card.png" --diff tests/data/tiny.safetensors
says 'no tensor with the name and size of a value' 'is refused'
# ---- other roles: fused and plain agree, and the first value that differs is named ----
# The demo's models are int8: a rounding more or less is 1/127 of a row's largest value.
# In its decoder one token's row of 32 numbers may come from such values: 0.057.
trace 0 'the segmenter of the demo, fused and plain' -m weights/demo/segmenter.wsam "$dir/card.png" --diff plain --tolerance 0.1
trace 0 'the clue network of the demo, fused and plain' -m weights/demo/clues.wsam "$dir/card.png" --diff plain --tolerance 0.05
says 'clues/.*:attention_spread ' 'its own operators'
says '^[0-9]* values within 5e-02$' 'all of its values'
trace 1 'a clue network within a tolerance that rounding exceeds' -m weights/demo/clues.wsam "$dir/card.png" --diff plain --tolerance 1e-12
says '^first beyond 1e-12: clues/' 'names the first value'
trace 1 'a clue network with a prompt' -m weights/demo/clues.wsam "$dir/card.png" --prompt 20,30
says 'takes no prompt' 'is refused'
for family in weaktr_mini dinov2_mini mask_rcnn_mini; do
    "$weaksam" twin $family -o "$dir/$family.safetensors" && "$weaksam" convert "$dir/$family.safetensors" -o "$dir/$family.wsam" --quiet
    trace 0 "$family, fused and plain" -m "$dir/$family.wsam" "$dir/card.png" --diff plain --save "$dir/$family.values"
    says '^[0-9]* values within 1e-03$' 'all of its values'
    trace 0 "$family, its own file, bit by bit" -m "$dir/$family.wsam" "$dir/card.png" --diff "$dir/$family.values" --tolerance 0 --threads 2
done
says 'detector_masks/' 'the heads of a detector, too'
"$weaksam" convert "$dir/mask_rcnn_mini.safetensors" -o "$dir/int8.wsam" --type int8 --quiet
trace 0 'a detector that keeps maps in bf16' -m "$dir/int8.wsam" "$dir/card.png" --diff plain --steps 'detector/*' --tolerance 0.05
trace 2 'a prompt of five numbers' -m "$model" "$dir/card.png" --prompt 1,2,3,4,5
trace 2 'no image' -m "$model"
[ -z "$(find "$dir" -name '*tmp*')" ]
verdict $? 'nothing half-written'
