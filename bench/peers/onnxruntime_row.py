"""One row of ONNX Runtime on an exported model.

usage: onnxruntime_row.py MODEL.onnx --model FAMILY --type f32|int8 [--threads N] [--prompts N] [--runs N] [--max-seconds F]
                          [--quantize OUT.onnx]

With --quantize the model is first quantized as ONNX Runtime does it at best on transformers, dynamically with a scale per
output channel, and written to OUT.onnx; nothing is timed. mask_decoder.onnx is timed with --prompts clicks in one call."""
import argparse

import onnxruntime as ort

import peer

parser = argparse.ArgumentParser()
parser.add_argument("path")
parser.add_argument("--model", required=True)
parser.add_argument("--type", required=True)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--prompts", type=int, default=0)
parser.add_argument("--runs", type=int, default=0)
parser.add_argument("--max-seconds", type=float, default=20)
parser.add_argument("--quantize")
args = parser.parse_args()

if args.quantize:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    graph = onnx.load(args.path, load_external_data=False).graph
    rank = {t.name: len(t.dims) for t in graph.initializer}
    tables = [n.name for n in graph.node if n.op_type == "MatMul" and rank.get(n.input[1], 2) != 2]  # of positions: refused
    quantize_dynamic(args.path, args.quantize, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"],
                     nodes_to_exclude=tables, extra_options={"MatMulConstBOnly": True})
    raise SystemExit

options = ort.SessionOptions()
options.intra_op_num_threads = args.threads
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
session = ort.InferenceSession(args.path, options, providers=["CPUExecutionProvider"])
shapes = {i.name: i.shape for i in session.get_inputs()}
if args.prompts:
    feed, side, region = peer.decoder_inputs(shapes, args.prompts), 16 * shapes["embedding"][2], "decoder"
else:
    side, region = shapes["image"][2], "encoder"
    feed = {"image": peer.image(side)}
seconds = peer.measure(lambda: session.run(None, feed), args.runs, max_seconds=args.max_seconds)
peer.put(peer.row(seconds, runtime="onnxruntime", versions=f"onnxruntime {ort.__version__}", model=args.model, type=args.type,
                  level="CPUExecutionProvider", threads=args.threads, resolution=side, prompts=args.prompts,
                  timed_region=region))
