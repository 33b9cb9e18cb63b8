#!/bin/sh
# Models for bench/peers/side_by_side.sh: weight files of the published sizes with stand-in weights, and what the peers run.
#
# usage: bench/peers/prepare.sh MODELS FAMILY...
#
# Needs onnxruntime and openvino for Python: pip install -r bench/peers/requirements.txt
# BUILD (build), PEER_PYTHON (python3)
set -eu
models=${1:?usage: bench/peers/prepare.sh MODELS FAMILY...}
shift
weaksam=${BUILD:-build}/weaksam python=${PEER_PYTHON:-python3}
here=$(dirname "$0")
mkdir -p "$models/images"
"$weaksam" draw --size 1024,768 -o "$models/images/drawn.png"
for family; do
    "$weaksam" twin "$family" -o "$models/$family.safetensors"
    for type in f32 bf16 int8; do
        "$weaksam" convert "$models/$family.safetensors" -o "$models/$family.$type.wsam" --type $type --quiet
    done
    rm "$models/$family.safetensors"
    "$weaksam" export-onnx "$models/$family.f32.wsam" -o "$models/$family.graphs" --quiet
    "$weaksam" export-onnx "$models/$family.int8.wsam" -o "$models/$family.qdq.onnx" --calibrate "$models/images" --quiet
    "$python" "$here/onnxruntime_row.py" "$models/$family.graphs/image_encoder.onnx" --model "$family" --type int8 \
        --quantize "$models/$family.dynamic.onnx"
done
