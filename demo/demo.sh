#!/bin/sh
# The demonstration behind `make demo`: a drawn scene, the shipped weights, masks by point, by box, and of everything.
#
# usage: demo/demo.sh BUILD OUT
set -eu
weaksam=$1/weaksam
scenes=$1/demo/scenes
out=$2
model=weights/demo/segmenter.wsam
mkdir -p "$out"

"$scenes" -o "$out" --count 1 --seed 173 --size 512,384 --least 24
picture=$out/images/000001.jpg
echo "weaksam: a key, a spring and a wrench by a point each, and the small key by its box"
cat >"$out/prompts.jsonl" <<'PROMPTS'
{"id": "key", "points": [[180, 145, 1]], "multimask": true}
{"id": "spring", "points": [[213, 208, 1]], "multimask": true}
{"id": "wrench", "points": [[433, 200, 1]], "multimask": true}
{"id": "small key", "box": [444, 54, 466, 110], "multimask": false}
PROMPTS
"$weaksam" segment -m "$model" "$picture" --prompts "$out/prompts.jsonl" --timing -o "$out/masks"
echo "weaksam: everything mode"
"$weaksam" everything -m "$model" "$picture" --points-per-side 32 --pred-iou-thresh 0.7 --stability-score-thresh 0.7 --box-nms-thresh 0.4 --min-mask-region-area 60 \
    --overlay -o "$out/everything"

cat <<TEXT

Look at
  $picture                the scene that was drawn
  $out/masks/overlay.png                 masks of the prompts on it; one PNG per mask beside it, masks.json has them as COCO RLE
  $out/everything/000001_overlay.png     all masks that were found without a prompt
  $out/instances.json                    what the scene really shows
The weights are small ones, trained on such drawings (weights/demo/MODEL_CARD.md). With a published checkpoint:
  $weaksam convert sam_vit_b_01ec64.pth -o sam_vit_b.wsam --type int8
  $weaksam segment -m sam_vit_b.wsam photo.jpg --point 500,375 -o masks
TEXT
