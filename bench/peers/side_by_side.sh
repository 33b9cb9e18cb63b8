#!/bin/sh
# weaksam's encoder and decoder beside ONNX Runtime and OpenVINO in one run, which take turns so that what else the machine does
# hits all of them: JSON lines (include/weaksam/bench.h) on standard output.
#
# usage: bench/peers/side_by_side.sh FAMILY WHAT MODELS [ROUNDS (2)]
#
# WHAT: f32; int8, beside which OpenVINO runs in bf16, too, where the machine has it; or decoder. MODELS has the files that
# bench/peers/prepare.sh made.
# BUILD (build), PEER_PYTHON (python3), THREADS (all), RUNS (2): timed calls of each in a round,
# PROMPTS ("16 64"): of the decoder in one call
set -u
family=${1:?usage: bench/peers/side_by_side.sh FAMILY f32|int8|decoder MODELS [ROUNDS]} what=$2 models=$3 rounds=${4:-2}
weaksam=${BUILD:-build}/weaksam python=${PEER_PYTHON:-python3} runs=${RUNS:-2} threads=${THREADS:-$(nproc)}
here=$(dirname "$0")

peer() { # script, file, further arguments
    script=$1 file=$2
    shift 2
    "$python" "$here/$script" "$models/$file" --model "$family" --threads "$threads" --runs "$runs" "$@"
}
ours() { # type, further arguments
    type=$1
    shift
    "$weaksam" bench -m "$models/$family.$type.wsam" --threads "$threads" --runs "$runs" --json "$@"
}
for _ in $(seq "$rounds"); do
    case $what in
    f32)
        ours f32 --what encoder --scenario SingleStream
        peer onnxruntime_row.py "$family.graphs/image_encoder.onnx" --type f32
        peer openvino_row.py "$family.graphs/image_encoder.onnx" --type f32
        ;;
    int8)
        ours int8 --what encoder --scenario SingleStream
        peer onnxruntime_row.py "$family.dynamic.onnx" --type int8
        peer onnxruntime_row.py "$family.qdq.onnx" --type int8
        peer openvino_row.py "$family.qdq.onnx" --type int8
        peer openvino_row.py "$family.graphs/image_encoder.onnx" --type bf16
        ;;
    decoder)
        for prompts in ${PROMPTS:-16 64}; do
            ours f32 --what decoder --prompts "$prompts" --scenario SingleStream
            ours int8 --what decoder --prompts "$prompts" --scenario SingleStream
            peer onnxruntime_row.py "$family.graphs/mask_decoder.onnx" --type f32 --prompts "$prompts"
            peer openvino_row.py "$family.graphs/mask_decoder.onnx" --type f32 --prompts "$prompts"
            peer openvino_row.py "$family.graphs/mask_decoder.onnx" --type bf16 --prompts "$prompts"
        done
        ;;
    esac
done
