"""One row of a peer on torchvision's Faster R-CNN R50-FPN, from a decoded image to boxes, beside bench/bench_detector.

usage: detector_row.py RUNTIME TYPE CHECKPOINT.safetensors IMAGE [--threads N] [--runs N] [--onnx MODEL.onnx]
       detector_row.py export f32|int8 CHECKPOINT.safetensors IMAGE --onnx MODEL.onnx

RUNTIME: torch (f32, bf16: autocast; channels last), onnxruntime (f32, int8), openvino (f32, bf16). The checkpoint is
`weaksam twin faster_rcnn_r50_fpn -o ...`. `export` writes the network for the others: the whole detector, and for int8 the
same between QuantizeLinear and DequantizeLinear, as ONNX Runtime quantizes convolutions and matrices statically."""
import argparse
import os

import numpy as np
from PIL import Image

import peer


def read_tensors(path):
    import json
    import struct

    import torch
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        header, base, out = json.loads(f.read(n)), 8 + n, {}
        for name, t in header.items():
            if name != "__metadata__":
                f.seek(base + t["data_offsets"][0])
                data = f.read(t["data_offsets"][1] - t["data_offsets"][0])
                kind = np.int64 if t["dtype"] == "I64" else np.float32
                out[name] = torch.from_numpy(np.frombuffer(data, kind).copy().reshape(t["shape"]))
    return out


def make_model(path):
    from torchvision.models.detection import fasterrcnn_resnet50_fpn
    model = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    model.load_state_dict(read_tensors(path), strict=False)
    return model.eval()


def pixels(path):
    return np.ascontiguousarray(np.array(Image.open(path).convert("RGB")).transpose(2, 0, 1), np.float32) / 255


class Reader:
    """What ONNX Runtime calibrates on."""

    def __init__(self, name, image):
        self.feeds = iter([{name: image}])

    def get_next(self):
        return next(self.feeds, None)


def export(args):
    import torch
    image = pixels(args.image)
    f32 = args.onnx if args.type == "f32" else args.onnx + ".f32.onnx"
    if args.type == "f32" or not os.path.exists(f32):
        torch.onnx.export(make_model(args.checkpoint), ([torch.from_numpy(image)],), f32, opset_version=17, input_names=["image"],
                          output_names=["boxes", "labels", "scores"], dynamo=False)
    if args.type == "int8":
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        quantize_static(f32, args.onnx, Reader("image", image), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        op_types_to_quantize=["Conv", "Gemm", "MatMul", "Relu", "Add", "MaxPool"])


def torch_once(args):
    import torch
    torch.set_num_threads(args.threads)
    model = make_model(args.checkpoint).to(memory_format=torch.channels_last)
    image = torch.from_numpy(pixels(args.image))

    def once():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=args.type == "bf16"):
            model([image])
    return once, "torch " + torch.__version__


def onnxruntime_once(args):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    session = ort.InferenceSession(args.onnx, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: pixels(args.image)}
    return lambda: session.run(None, feed), "onnxruntime " + ort.__version__


def openvino_once(args):
    import openvino as ov
    core = ov.Core()
    hint = "bf16" if args.type == "bf16" else "f32"
    compiled = core.compile_model(core.read_model(args.onnx), "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": hint})
    request, feed = compiled.create_infer_request(), pixels(args.image)
    return lambda: request.infer([feed]), "openvino " + ov.__version__.split("-")[0]


parser = argparse.ArgumentParser()
parser.add_argument("runtime", choices=("export", "torch", "onnxruntime", "openvino"))
parser.add_argument("type", choices=("f32", "bf16", "int8"))
parser.add_argument("checkpoint")
parser.add_argument("image")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--onnx")
args = parser.parse_args()
if args.runtime == "export":
    export(args)
else:
    once, versions = {"torch": torch_once, "onnxruntime": onnxruntime_once, "openvino": openvino_once}[args.runtime](args)
    peer.put(peer.row(peer.measure(once, args.runs), runtime=args.runtime, versions=versions, model="faster_rcnn_r50_fpn",
                      type=args.type, level="", threads=args.threads, resolution=1333, timed_region="detector"))
