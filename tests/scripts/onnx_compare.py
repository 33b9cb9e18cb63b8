"""Runs exported ONNX models in ONNX Runtime beside the weaksam command, prints the largest error.

usage: onnx_compare.py WEAKSAM MODEL.wsam FOLDER [TOLERANCE]

FOLDER has the models of `weaksam export-onnx MODEL.wsam -o FOLDER` and is used for files in between. The image has the size
of the encoder's square, so that nothing is resized. Exit status 1 when an error exceeds TOLERANCE (1e-4) of the largest
value."""
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import onnxruntime as ort

weaksam, model, folder = sys.argv[1:4]
tolerance = float(sys.argv[4]) if len(sys.argv) > 4 else 1e-4
# The same arithmetic wherever it runs: optimisations of graphs only.
options = ort.SessionOptions()
options.log_severity_level = 3
worst = 0.0


def run(*args):
    subprocess.run([weaksam, *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def read_png(path):
    """8-bit RGB without interlacing."""
    data, at, packed = open(path, "rb").read(), 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert (depth, colour) == (8, 2), "not 8-bit RGB"
        elif kind == b"IDAT":
            packed += body
        at += 12 + n
    raw, stride = zlib.decompress(packed), 3 * width
    out = np.zeros((height + 1, stride + 3), np.int64)  # a line above and a pixel to the left of zeros
    for y in range(height):
        line = raw[y * (stride + 1):(y + 1) * (stride + 1)]
        up, row = out[y], out[y + 1]
        for i in range(stride):
            a, b, c = int(row[i]), int(up[i + 3]), int(up[i])
            p = a + b - c
            near = a if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - c) else b if abs(p - b) <= abs(p - c) else c
            row[i + 3] = (line[i + 1] + (0, a, b, (a + b) // 2, near)[line[0]]) & 255
    return out[1:, 3:].reshape(height, width, 3).astype(np.float32)


def read_safetensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    return {k: np.frombuffer(data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]], np.float32).reshape(v["shape"])
            for k, v in header.items() if k != "__metadata__"}


def compare(what, got, want):
    global worst
    error = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))
    worst = max(worst, error)
    print(f"# {what}: largest error {error:.2e} of the largest value")


def open_model(graph):
    return ort.InferenceSession(f"{folder}/{graph}.onnx", options, providers=["CPUExecutionProvider"])


# ---- the encoder ----
encoder = open_model("image_encoder")
meta = encoder.get_modelmeta().custom_metadata_map
size = int(meta["picture.size"])
mean, std = ([float(x) for x in meta[f"picture.{k}"].split(",")] for k in ("mean", "std"))
run("draw", "--size", f"{size},{size}", "-o", f"{folder}/card.png")
run("encode", "-m", model, f"{folder}/card.png", "-o", f"{folder}/embedding.safetensors", "--quiet")
image = (read_png(f"{folder}/card.png") / float(meta["picture.unit"]) - mean) / std
embedding = encoder.run(["embedding"], {"image": image.astype(np.float32).transpose(2, 0, 1)[None]})[0]
ours = read_safetensors(f"{folder}/embedding.safetensors")["embedding"][None]
compare("encoder", embedding, ours)

# ---- the decoder: clicks and boxes in one run, on our embedding ----
fixed = int(meta.get("prompt.fixed_points", 0))
padded = meta.get("prompt.pad_point") == "without_box" and not fixed
prompts = [{"points": [[size * x, size * y, 1]]} for x, y in ((0.3, 0.4), (0.5, 0.5), (0.8, 0.2))]
prompts += [{"box": [size * 0.2, size * 0.25, size * 0.6, size * 0.7]}]


def rows_of(prompt):
    rows = [(x, y, label) for x, y, label in prompt.get("points", [])]
    if padded and "box" not in prompt:
        rows.append((-0.5, -0.5, -1))
    if "box" in prompt:
        x0, y0, x1, y1 = prompt["box"]
        rows += [(x0, y0, 2), (x1, y1, 3)]
    while len(rows) < fixed:
        rows.append((-1, -1, -1))
    return rows


rows = np.array([rows_of(p) for p in prompts], np.float32)
points, labels = ((rows[..., :2] + 0.5) / size).astype(np.float32), rows[..., 2].astype(np.int32)
with open(f"{folder}/prompts.jsonl", "w") as f:
    f.writelines(json.dumps(p) + "\n" for p in prompts)
run("segment", "-m", model, "--embedding", f"{folder}/embedding.safetensors", "--prompts", f"{folder}/prompts.jsonl",
    "--multimask", "-o", f"{folder}/result.safetensors", "--quiet")
result = read_safetensors(f"{folder}/result.safetensors")
low_res, iou = open_model("mask_decoder").run(["low_res", "iou"], {"embedding": ours, "points": points, "labels": labels})
want_low, want_iou = (np.stack([result[f"{k}.{i}"] for i in range(len(prompts))]) for k in ("low_res", "iou"))
compare("decoder, masks", low_res, want_low)
compare("decoder, IoU", iou, want_iou)

# ---- with a mask: the first candidate of each prompt refines it ----
if "prompt.mask_size" in meta and int(meta["prompt.mask_size"]):
    run("segment", "-m", model, "--embedding", f"{folder}/embedding.safetensors", "--point",
        f"{size * 0.3},{size * 0.4}", "--single", "-o", f"{folder}/first.safetensors", "--quiet")
    run("segment", "-m", model, "--embedding", f"{folder}/embedding.safetensors", "--point",
        f"{size * 0.3},{size * 0.4}", "--mask-input", f"{folder}/first.safetensors", "-o", f"{folder}/second.safetensors",
        "--quiet")
    mask = read_safetensors(f"{folder}/first.safetensors")["low_res"][:, None]
    low_res, _ = open_model("mask_decoder_with_mask").run(
        ["low_res", "iou"], {"embedding": ours, "points": points[:1], "labels": labels[:1], "mask": mask})
    compare("decoder with a mask", low_res, read_safetensors(f"{folder}/second.safetensors")["low_res"][None])

print(f"# worst {worst:.2e}, allowed {tolerance:.0e}")
sys.exit(worst > tolerance)
