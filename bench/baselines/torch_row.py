"""Rows of PyTorch on a GPU or a CPU, beside those of `weaksam bench` (include/weaksam/bench.h).

usage: torch_row.py [--device cuda|cpu] [--model FAMILY,...] [--type f32,tf32,fp16,bf16] [--batch N,...|best]
                    [--what encoder,decoder,everything] [--compile] [--threads N] [--size 1024] [--runs N] [--max-seconds F]

Every timed call ends with an explicit synchronise; the first calls (compilation, autotuning) are not counted. `--batch best`
doubles the batch while images per second grow by 3 % and memory suffices, and prints the best row. Images per second of a
batch above 1 belong to the Offline scenario. everything begins, as that of `weaksam bench`, with a decoded image of 640 x 480 in the
host's memory: resized, normalised, encoded, 32 x 32 points, masks enlarged, scored, thinned by NMS and run-length encoded; no filter,
so that the work does not depend on the weights. Every row is measured in a process of its own, so that peak memory is its own."""
import argparse
import os
import subprocess
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import peer
import torch_models

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--model", default="sam_vit_b")
parser.add_argument("--type", default="f32")
parser.add_argument("--batch", default="1")
parser.add_argument("--what", default="encoder")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--size", type=int, default=1024)
parser.add_argument("--runs", type=int, default=0)
parser.add_argument("--max-seconds", type=float, default=20)
args = parser.parse_args()
for value, known in ((args.model, torch_models.ENCODERS), (args.type, ("f32", "tf32", "fp16", "bf16")),
                     (args.what, ("encoder", "decoder", "everything"))):
    for one in value.split(","):
        if one not in known:
            parser.error(f"'{one}': expected a list of {', '.join(known)}")
if args.batch != "best" and not all(b.isdigit() and int(b) > 0 for b in args.batch.split(",")):
    parser.error(f"--batch '{args.batch}': expected a list of whole numbers, or best")
gpu = args.device.startswith("cuda")
if args.threads:
    torch.set_num_threads(args.threads)
PROMPTS, SIDE, BATCH = 64, 32, 64


def synchronise():
    if gpu:
        torch.cuda.synchronize()


def device_name():
    return torch.cuda.get_device_name() if gpu else peer.cpu()


def versions():
    driver = f", CUDA {torch.version.cuda}, driver {driver_version()}" if gpu else ""
    return f"pytorch {torch.__version__}{driver}"


def driver_version():
    try:
        return open("/sys/module/nvidia/version").read().strip()
    except OSError:
        return "unknown"


def run_lengths(masks):
    """COCO's run lengths [per mask a tensor], columns first, as segment-anything makes them."""
    flat = masks.permute(0, 2, 1).flatten(1)
    change = (flat[:, 1:] ^ flat[:, :-1]).nonzero()
    return torch.split(change[:, 1].cpu(), torch.bincount(change[:, 0], minlength=len(flat)).tolist())


def boxes_of(masks):
    columns, rows = masks.any(1), masks.any(2)
    first = lambda m: m.float().argmax(1)
    last = lambda m: m.shape[1] - 1 - m.flip(1).float().argmax(1)
    return torch.stack([first(columns), first(rows), last(columns), last(rows)], 1).float()


MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def prepared(pixels, content, half):
    """The encoder's input of a decoded image [H,W,3] of bytes."""
    image = pixels.to(args.device).permute(2, 0, 1)[None].float()
    image = torch.nn.functional.interpolate(image, content, mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v, device=args.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return torch.nn.functional.pad((image - mean) / std, (0, args.size - content[1], 0, args.size - content[0])).to(half)


@torch.inference_mode()
def everything(encoder, decoder, pixels, half, points, labels, content):
    from torchvision.ops import nms
    size = tuple(pixels.shape[:2])
    embedding = encoder(prepared(pixels, content, half))
    boxes, scores, lengths = [], [], []
    for i in range(0, len(points), BATCH):
        iou, low = decoder(embedding, points[i:i + BATCH], labels[i:i + BATCH])
        logits = torch.nn.functional.interpolate(low.float(), (args.size, args.size), mode="bilinear")
        logits = torch.nn.functional.interpolate(logits[..., :content[0], :content[1]], size, mode="bilinear").flatten(0, 1)
        _stability = (logits > 1).sum((1, 2)) / (logits > -1).sum((1, 2))
        masks = logits > 0
        boxes.append(boxes_of(masks))
        scores.append(iou.flatten().float())
        lengths += run_lengths(masks)
    kept = nms(torch.cat(boxes), torch.cat(scores), 0.7)
    return [lengths[k] for k in kept.cpu().tolist()]


def models(family, kind):
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(kind, torch.float32)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = kind == "tf32"
    encoder = torch_models.draw(torch_models.ENCODERS[family](args.size)).to(args.device, half)
    decoder = torch_models.draw(torch_models.Decoder(args.size // 16)).to(args.device, half)
    if args.compile:
        encoder, decoder = torch.compile(encoder), torch.compile(decoder)
    return encoder, decoder, half


def subject(what, family, kind, batch):
    """What is timed, its prompts, and the calls that come before."""
    encoder, decoder, half = models(family, kind)
    image = torch.from_numpy(peer.image(args.size)).to(args.device, half)
    feed = {k: torch.from_numpy(v).to(args.device) for k, v in peer.clicks(PROMPTS, 2).items()}
    if what == "encoder":
        images = image.repeat(batch, 1, 1, 1)
        return lambda: encoder(images), 0
    if what == "decoder":
        embedding = encoder(image)
        points, labels = feed["points"].to(half), feed["labels"].long()
        return lambda: decoder(embedding, points, labels), PROMPTS
    at = (torch.arange(SIDE, device=args.device, dtype=half) + 0.5) / SIDE
    grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1).view(-1, 1, 2)
    points = torch.cat([grid, torch.zeros_like(grid)], 1)
    labels = torch.tensor([1, -1], device=args.device).expand(len(points), 2)
    pixels = torch.from_numpy((np.arange(480 * 640 * 3) % 251).astype(np.uint8).reshape(480, 640, 3))
    content = (args.size * 3 // 4, args.size)
    return lambda: everything(encoder, decoder, pixels, half, points, labels, content), SIDE * SIDE


@torch.inference_mode()
def measure(what, family, kind, batch):
    run, prompts = subject(what, family, kind, batch)

    def once():
        run()
        synchronise()

    for _ in range(3 if gpu else 1):
        once()
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = peer.measure(once, args.runs, max_seconds=args.max_seconds)
    row = peer.row(seconds, batch=batch, device=device_name(), runtime="pytorch", versions=versions(), model=family, type=kind,
                   level="compile" if args.compile else "eager", threads=None if gpu else torch.get_num_threads(),
                   resolution=args.size, prompts=prompts, timed_region=what,
                   scenario="SingleStream" if batch == 1 else "Offline")
    if gpu:
        row["peak_rss_bytes"] = torch.cuda.max_memory_allocated()
    row["source"] = row["source"].replace("bench/peers", "bench/baselines")
    return row


def best_batch(what, family, kind):
    best, batch = measure(what, family, kind, 1), 2
    while batch <= 128:
        try:
            row = measure(what, family, kind, batch)
        except torch.OutOfMemoryError:
            break
        if row["images_per_s"] < 1.03 * best["images_per_s"]:
            break
        best, batch = row, 2 * batch
    return best


def rows():
    """What is asked for, row by row."""
    for family in args.model.split(","):
        for kind in args.type.split(","):
            for what in args.what.split(","):
                for batch in args.batch.split(",") if what == "encoder" else ["1"]:
                    yield family, kind, what, batch


asked = list(rows())
if len(asked) == 1:
    family, kind, what, batch = asked[0]
    peer.put(best_batch(what, family, kind) if batch == "best" else measure(what, family, kind, int(batch)))
else:
    for family, kind, what, batch in asked:
        one = {**vars(args), "model": family, "type": kind, "what": what, "batch": batch}
        words = [w for k, v in one.items() if v for w in ([f"--{k.replace('_', '-')}"] + ([] if v is True else [str(v)]))]
        subprocess.run([sys.executable, sys.argv[0], *words], check=True)
