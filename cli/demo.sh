#!/bin/sh
# The demonstration behind `make demo`: a model, a picture, masks.
#
# usage: cli/demo.sh BUILD OUT
set -eu
weaksam=$1/weaksam
out=$2
model=$1/demo/mobile_sam.wsam
mkdir -p "$out" "$1/demo"

if [ ! -f "$model" ]; then
    echo "weaksam: writing a MobileSAM whose weights are derived from tensor names (a stand-in), as int8"
    "$weaksam" twin mobile_sam -o "$1/demo/mobile_sam.safetensors"
    "$weaksam" convert "$1/demo/mobile_sam.safetensors" -o "$model" --type int8
    rm -f "$1/demo/mobile_sam.safetensors"
fi
"$weaksam" draw -o "$out/picture.png"
echo "weaksam: segmenting by a point, by a box, and by both"
cat >"$out/prompts.jsonl" <<'PROMPTS'
{"id": "point", "points": [[213, 240, 1]], "multimask": true}
{"id": "box", "box": [128, 120, 448, 384], "multimask": false}
{"id": "both", "points": [[320, 240, 1]], "box": [128, 120, 448, 384], "multimask": true}
PROMPTS
"$weaksam" segment -m "$model" "$out/picture.png" --prompts "$out/prompts.jsonl" --timing -o "$out"

cat <<TEXT

Look at $out: picture.png is the input, the overlay shows the masks on it, one PNG per mask,
masks.json has them as COCO RLE. The weights are a stand-in without training: the masks are noise,
the speed and the road from checkpoint to masks are real. With a published checkpoint:
  $weaksam convert sam_vit_b_01ec64.pth -o sam_vit_b.wsam --type int8
  $weaksam segment -m sam_vit_b.wsam photo.jpg --point 500,375 -o masks
TEXT
