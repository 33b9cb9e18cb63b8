"""Rows of PyTorch on a GPU or a CPU, beside those of `weaksam bench` (include/weaksam/bench.h).

usage: torch_row.py [--device cuda|cpu] [--model FAMILY,...] [--type fp32,tf32,fp16,bf16] [--batch N,...|best]
                    [--what encoder,decoder,everything] [--compile] [--threads N] [--size 1024] [--runs N] [--max-seconds F]

Every timed call ends with an explicit synchronise; the first calls (compilation, autotuning) are not counted. `--batch best`
doubles the batch while images per second grow by 3 % and memory suffices, and prints the best row. Images per second of a
batch above 1 belong to the Offline scenario. everything: 32 x 32 points on an 800 x 1200 image, masks enlarged, scored,
thinned by NMS and run-length encoded; no filter, so that the work does not depend on the weights."""
import argparse
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import peer
import torch_models

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--model", default="sam_vit_b")
parser.add_argument("--type", default="fp32")
parser.add_argument("--batch", default="1")
parser.add_argument("--what", default="encoder")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--size", type=int, default=1024)
parser.add_argument("--runs", type=int, default=0)
parser.add_argument("--max-seconds", type=float, default=20)
args = parser.parse_args()
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


@torch.inference_mode()
def everything(encoder, decoder, image, points, labels, content, size):
    from torchvision.ops import nms
    embedding = encoder(image)
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
    content = (args.size * 2 // 3, args.size)
    return lambda: everything(encoder, decoder, image, points, labels, content, (800, 1200)), SIDE * SIDE


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


for family in args.model.split(","):
    for kind in args.type.split(","):
        for what in args.what.split(","):
            if what != "encoder" or args.batch != "best":
                for batch in ([1] if what != "encoder" else [int(b) for b in args.batch.split(",")]):
                    peer.put(measure(what, family, kind, batch))
            else:
                peer.put(best_batch(what, family, kind))
