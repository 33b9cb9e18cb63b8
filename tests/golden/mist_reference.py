#!/usr/bin/env python3
"""MIST in plain PyTorch, read from its published code, against weaksam score.

usage: mist_reference.py WEAKSAM WORK [mist_mini | mist_vgg16] [WIDTHxHEIGHT]

Makes a twin of the checkpoint, a drawn image and proposals in the folder WORK; compares scores and boxes
of one view and of 14, and the detections. Needs PyTorch, numpy and Pillow. Output is TAP.
"""
import json
import os
import struct
import subprocess
import sys

import numpy as np
import torch
from PIL import Image

CONVS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
POOLED = (2, 7, 14)


def load(path):
    with open(path, 'rb') as f:
        n = struct.unpack('<Q', f.read(8))[0]
        header, base, out = json.loads(f.read(n)), 8 + n, {}
        for name, t in header.items():
            if name != '__metadata__':
                f.seek(base + t['data_offsets'][0])
                data = f.read(t['data_offsets'][1] - t['data_offsets'][0])
                out[name] = torch.from_numpy(np.frombuffer(data, np.float32).copy().reshape(t['shape']))
    return out


def prepare(boxes, width, height, least):
    """Without copies, within the image, not too small; the last pixels are inside, as in the file."""
    boxes = np.array(boxes, np.float32)
    _, first = np.unique(np.round(boxes.astype(np.float64)) @ [1, 1e3, 1e6, 1e9], return_index=True)
    boxes = torch.from_numpy(boxes[np.sort(first)])
    boxes[:, 0::2].clamp_(0, width - 1)
    boxes[:, 1::2].clamp_(0, height - 1)
    side = boxes[:, 2:] - boxes[:, :2]
    return boxes[((side > 0) & (side + 1 >= least)).all(1)]


def view_size(width, height, size):
    low, high = min(width, height), max(width, height)
    if high / low * size > 2000:
        size = int(round(2000 * low / high))
    if low == size:
        return width, height
    other = int(size * high / low)
    return (size, other) if width < height else (other, size)


def features(w, image):
    x = image[None]
    for i in CONVS:
        dilation = 2 if i >= 24 else 1
        x = torch.nn.functional.conv2d(x, w['backbone.body.features.%d.weight' % i],
                                       w['backbone.body.features.%d.bias' % i], padding=dilation, dilation=dilation)
        x = x.relu() if i != 28 else x
        x = torch.nn.functional.max_pool2d(x, 2) if i in POOLED else x
    return x[0]


def round_away(x):
    return torch.floor(x.abs() + 0.5) * torch.sign(x)


def pool(map_, box):
    channels, height, width = map_.shape
    x0, y0, x1, y1 = (int(v) for v in round_away(box * 0.125))
    w, h = max(x1 - x0 + 1, 1), max(y1 - y0 + 1, 1)
    out = torch.zeros(channels, 7, 7)
    for i in range(7):
        top, low = (int(np.clip(v + y0, 0, height)) for v in
                    (np.floor(np.float32(i) * np.float32(h / 7)), np.ceil(np.float32(i + 1) * np.float32(h / 7))))
        for j in range(7):
            left, right = (int(np.clip(v + x0, 0, width)) for v in
                           (np.floor(np.float32(j) * np.float32(w / 7)), np.ceil(np.float32(j + 1) * np.float32(w / 7))))
            if low > top and right > left:
                out[:, i, j] = map_[:, top:low, left:right].amax((1, 2))
    return out


def run_view(w, picture, boxes, size, mirrored):
    width, height = view_size(*picture.size, size)
    sized = picture if (width, height) == picture.size else picture.resize((width, height), Image.BILINEAR)
    pixels = torch.from_numpy(np.array(sized)).float().permute(2, 0, 1).flip(0)
    pixels -= torch.tensor([102.9801, 115.9465, 122.7717])[:, None, None]
    pixels = pixels.flip(2) if mirrored else pixels
    pixels = torch.nn.functional.pad(pixels, (0, -width % 32, 0, -height % 32))
    rois = boxes * torch.tensor([width / picture.size[0], height / picture.size[1]] * 2)
    if mirrored:
        rois = torch.stack((width - 1 - rois[:, 2], rois[:, 1], width - 1 - rois[:, 0], rois[:, 3]), 1)
    map_ = features(w, pixels)
    x = torch.stack([pool(map_, r) for r in rois]).flatten(1)
    linear = lambda x, name: torch.nn.functional.linear(x, w[name + '.weight'], w[name + '.bias'])
    for i in (1, 4):
        x = linear(x, 'roi_heads.feature_extractor.classifier.%d' % i).relu()
    heads = [linear(x, 'roi_heads.predictor.ref%d' % k).softmax(1) for k in (1, 2, 3)]
    deltas = sum(linear(x, 'roi_heads.predictor.bbox_pred%d' % k) for k in (1, 2, 3)) / 3
    deltas = deltas.reshape(len(rois), -1, 4) / torch.tensor([10.0, 10.0, 5.0, 5.0])
    side = (rois[:, 2:] - rois[:, :2] + 1)[:, None]
    centre = rois[:, None, :2] + 0.5 * side
    centre = deltas[..., :2] * side + centre
    side = side * deltas[..., 2:].clamp(max=np.log(1000 / 16)).exp()
    out = torch.cat((centre - 0.5 * side, centre + 0.5 * side - 1), 2)
    out[..., 0::2].clamp_(0, width - 1)
    out[..., 1::2].clamp_(0, height - 1)
    if mirrored:
        out = torch.stack((width - 1 - out[..., 2], out[..., 1], width - 1 - out[..., 0], out[..., 3]), 2)
    return sum(heads) / 3, out, (width, height)


def run_views(w, picture, boxes, scales, mirror):
    scores, found = [], []
    frame = view_size(*picture.size, scales[0])
    for size in scales:
        for mirrored in (False, True) if mirror else (False,):
            s, b, (width, height) = run_view(w, picture, boxes, size, mirrored)
            scores.append(s)
            found.append(b * torch.tensor([frame[0] / width, frame[1] / height] * 2))
    return sum(scores) / len(scores), sum(found) / len(found)


def suppress(boxes, scores, threshold):
    order, kept = scores.argsort(descending=True, stable=True), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = torch.maximum(boxes[best, :2], boxes[rest, :2])
        high = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        both = (high - low).clamp(min=0).prod(1)
        order = rest[~(both / (area[best] + area[rest] - both) > threshold)]
    return kept


def detections(scores, boxes, frame, picture):
    found = []
    for c in range(1, scores.shape[1]):
        for i in suppress(boxes[:, c], scores[:, c], 0.3):
            found.append((c, float(scores[i, c]), boxes[i, c]))
    if len(found) > 100:
        least = sorted((f[1] for f in found), reverse=True)[99]
        found = [f for f in found if f[1] >= least]
    scale = torch.tensor([picture.size[0] / frame[0], picture.size[1] / frame[1]] * 2)
    boxes = [f[2] * scale for f in found]
    return [(f[0], f[1], [float(b[0]), float(b[1]), float(b[2] - b[0] + 1), float(b[3] - b[1] + 1)])
            for f, b in zip(found, boxes)]


def verdict(good, text):
    print(('ok - ' if good else 'not ok - ') + text, flush=True)
    return 0 if good else 1


def relative(a, b):
    return float((a - b).norm() / b.norm())


def compare_list(path, wanted):
    """Share of the detections that are there with the same class, score and box."""
    got, left = json.load(open(path)), list(wanted)
    for r in got:
        for k, (c, score, box) in enumerate(left):
            if r['category_id'] == c and abs(r['score'] - score) < 1e-4 and np.allclose(r['bbox'], box, atol=0.1):
                del left[k]
                break
    return len(got), 1 - len(left) / max(len(wanted), 1)


def main():
    weaksam, work = sys.argv[1:3]
    family = sys.argv[3] if len(sys.argv) > 3 else 'mist_mini'
    size = sys.argv[4] if len(sys.argv) > 4 else '130x95'
    width, height = map(int, size.split('x'))
    os.makedirs(work + '/images', exist_ok=True)
    call = lambda *args: subprocess.run([weaksam, *args, '--quiet'], check=True)
    twin, model, image = work + '/twin.safetensors', work + '/mist.wsam', work + '/images/a.png'
    subprocess.run([weaksam, 'twin', family, '-o', twin], check=True)
    call('convert', twin, '-o', model)
    subprocess.run([weaksam, 'draw', '-o', image, '--size', '%d,%d' % (width, height)], check=True)
    draw = np.random.default_rng(3)
    corners = draw.integers(0, (width - 30, height - 30), (40, 2))
    sides = draw.integers(10, (width - 20, height - 20), (40, 2))
    boxes = np.concatenate((corners, np.minimum(corners + sides, (width - 1, height - 1))), 1)
    boxes = np.concatenate((boxes, boxes[:3]))
    lines = [{'box': b.tolist(), 'score': 1.0, 'source': 'grid'} for b in boxes]
    with open(work + '/proposals.jsonl', 'w') as f:
        f.write(json.dumps({'image': 'a.png', 'width': width, 'height': height, 'proposals': lines}) + '\n')
    w, picture, failures = load(twin), Image.open(image).convert('RGB'), 0
    kept = prepare(boxes, width, height, 20)
    for scales, mirror in (((800,), False), ((800, 480, 576, 688, 864, 1000, 1200), True)):
        options = ['--scales', ','.join(map(str, scales))] + ([] if mirror else ['--no-mirror'])
        call('score', work + '/proposals.jsonl', '-m', model, '--images', work + '/images', '-o', work + '/scores.json',
             '--dump', work + '/dump.safetensors', *options)
        got = load(work + '/dump.safetensors')
        with torch.inference_mode():
            scores, found = run_views(w, picture, kept, scales, mirror)
        name = '%s, %d views' % (family, len(scales) * (2 if mirror else 1))
        failures += verdict(got['scores'].shape == scores.shape, '%s: %d boxes' % (name, len(kept)))
        failures += verdict(relative(got['scores'], scores) < 1e-4,
                            '%s: scores %.1e' % (name, relative(got['scores'], scores)))
        failures += verdict(relative(got['boxes'], found) < 1e-4,
                            '%s: boxes %.1e' % (name, relative(got['boxes'], found)))
        wanted = detections(scores, found, view_size(width, height, scales[0]), picture)
        n, share = compare_list(work + '/scores.json', wanted)
        failures += verdict(n == len(wanted) and share >= 0.99,
                            '%s: %d of %d detections, %.3f equal' % (name, n, len(wanted), share))
    sys.exit(failures != 0)


if __name__ == '__main__':
    main()
