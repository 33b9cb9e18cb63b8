#!/bin/sh
# Faster R-CNN R50-FPN on one image of 800 x 1333, ours beside torchvision, ONNX Runtime and OpenVINO in one run, which take
# turns: JSON lines on standard output.
#
# usage: bench/peers/detectors.sh MODELS [ROUNDS (2)] [WHO...]
#
# MODELS is made when it is missing (half a gigabyte; a few minutes). WHO: weaksam, torch, onnxruntime, openvino (all).
# BUILD (build), PEER_PYTHON (python3, with torchvision, onnx, onnxruntime and openvino), THREADS (2), RUNS (3)
set -eu
models=${1:?usage: bench/peers/detectors.sh MODELS [ROUNDS] [WHO...]} rounds=${2:-2}
shift
[ $# -eq 0 ] || shift
who=${*:-weaksam torch onnxruntime openvino}
build=${BUILD:-build} python=${PEER_PYTHON:-python3} threads=${THREADS:-2} runs=${RUNS:-3}
here=$(dirname "$0") twin=$models/twin.safetensors image=$models/image.png
mkdir -p "$models"
if [ ! -e "$models/made" ]; then
    "$build/weaksam" draw --size 1333,800 -o "$image"
    "$build/weaksam" twin faster_rcnn_r50_fpn -o "$twin"
    "$build/weaksam" convert "$twin" -o "$models/f32.wsam" --quiet
    "$build/weaksam" convert "$twin" -o "$models/int8.wsam" --type int8 --quiet
    "$python" "$here/detector_row.py" export f32 "$twin" "$image" --onnx "$models/f32.onnx"
    cp "$models/f32.onnx" "$models/int8.onnx.f32.onnx"
    "$python" "$here/detector_row.py" export int8 "$twin" "$image" --onnx "$models/int8.onnx"
    rm -f "$models/int8.onnx.f32.onnx"
    touch "$models/made"
fi
for _ in $(seq "$rounds"); do
    for one in $who; do
        case $one in
        weaksam)
            for type in f32 int8; do "$build/bench/bench_detector" "$models/$type.wsam" "$image" $type "$threads" "$runs"; done
            ;;
        torch)
            for type in f32 bf16; do "$python" "$here/detector_row.py" torch $type "$twin" "$image" --threads "$threads" --runs "$runs"; done
            ;;
        *)
            types="f32 int8"
            [ "$one" = onnxruntime ] || types="f32 bf16" # 2026.4 does not compile the quantized graph
            for type in $types; do
                file=$models/f32.onnx
                [ $type != int8 ] || file=$models/int8.onnx
                "$python" "$here/detector_row.py" "$one" $type "$twin" "$image" --threads "$threads" --runs "$runs" --onnx "$file"
            done
            ;;
        esac
    done
done
