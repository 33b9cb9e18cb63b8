"""One row of OpenVINO on an exported model.

usage: openvino_row.py MODEL.onnx --model FAMILY --type f32|bf16|int8 [--threads N] [--streams N] [--prompts N] [--runs N]
                       [--max-seconds F]

int8 wants a model of `weaksam export-onnx --calibrate`. bf16 is a hint: a machine without bf16 products refuses it, and no
row is printed. With several streams requests run side by side, which is the Offline scenario."""
import argparse
import time

import numpy as np
import openvino as ov

import peer

parser = argparse.ArgumentParser()
parser.add_argument("path")
parser.add_argument("--model", required=True)
parser.add_argument("--type", required=True)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--streams", type=int, default=1)
parser.add_argument("--prompts", type=int, default=0)
parser.add_argument("--runs", type=int, default=0)
parser.add_argument("--max-seconds", type=float, default=20)
args = parser.parse_args()

core = ov.Core()
config = {"INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": args.streams,
          "INFERENCE_PRECISION_HINT": "bf16" if args.type == "bf16" else "f32"}
if args.type == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
    raise SystemExit(f"openvino_row: no bf16 products here: {core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')}")
model = core.read_model(args.path)
shapes = {i.any_name: [d.get_length() if d.is_static else -1 for d in i.partial_shape] for i in model.inputs}
if args.prompts:
    feed, side, region = peer.decoder_inputs(shapes, args.prompts), 16 * shapes["embedding"][2], "decoder"
    model.reshape({name: list(value.shape) for name, value in feed.items()})
else:
    side, region = shapes["image"][2], "encoder"
    feed = {"image": peer.image(side)}
compiled = core.compile_model(model, "CPU", config)
fields = dict(runtime="openvino", versions=f"openvino {ov.__version__.split('-')[0]}", model=args.model, type=args.type,
              level="CPU", threads=args.threads, resolution=side,
              prompts=args.prompts, timed_region=region)
if args.streams == 1:
    request = compiled.create_infer_request()
    seconds = peer.measure(lambda: request.infer(feed), args.runs, max_seconds=args.max_seconds)
    peer.put(peer.row(seconds, **fields))
else:
    queue, ends = ov.AsyncInferQueue(compiled, args.streams), []
    queue.set_callback(lambda request, begin: ends.append(time.perf_counter() - begin))
    n = max(args.runs, 2) * args.streams
    for _ in range(args.streams):
        queue.start_async(feed, time.perf_counter())
    queue.wait_all()
    ends.clear()
    start = time.perf_counter()
    for _ in range(n):
        queue.start_async(feed, time.perf_counter())
    queue.wait_all()
    peer.put(peer.row(ends, scenario="Offline", sessions=args.streams, **{**fields, "threads": args.threads // args.streams},
                      images_per_s=n / (time.perf_counter() - start)))
