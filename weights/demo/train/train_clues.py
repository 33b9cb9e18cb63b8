"""Trains the clue network on drawn pictures from image-level labels alone: which classes a picture shows, nothing else.

Two answers are trained, as in WeakTr: the class tokens' logits, and the head's map pooled over the picture (weighted by its own
softmax, so that a small part counts). The trunk starts from the segmenter's encoder, which knows outlines but no classes
(from random weights neither 5000 scenes nor 14000 catalogue pictures taught anything). A catalogue comes first: small pictures of one
part each, laid anywhere on the position grid; scenes with few large parts follow, then the mixture that is asked for.

usage: train_clues.py --library build/weights/demo/libscenes.so -o FOLDER [--steps N] [--resume]
"""
import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F

import clues
import common
import muon
import scenes

VALIDATION = 9_000_000
SHAPES = ((512, 384), (384, 512), (448, 448))


def draw_catalogue(maker, rng, pictures):
    """Pictures of 64 x 64 with one part each, and a corner of the position grid for them."""
    rgb, labels = [], []
    while len(rgb) < pictures:
        image, _, _, kinds = maker.view(int(rng.integers(1 << 40)) + VALIDATION * 2, 64, width=128, height=128, most=1,
                                        classes=1, least_size=50.0)
        rgb.append(image)
        labels.append([float(k in kinds) for k in range(scenes.PARTS)])
    grid = clues.SIZES['grid'] - 64 // clues.SIZES['patch']
    return np.stack(rgb), np.array(labels, np.float32), rng.integers(0, grid + 1, 2)


def draw_small(maker, rng, pictures, side=128):
    rgb, labels = [], []
    while len(rgb) < pictures:
        image, _, _, kinds = maker.view(int(rng.integers(1 << 40)) + VALIDATION * 2, side, width=2 * side, height=2 * side, most=4,
                                        classes=1 + int(rng.integers(3)), least_size=24.0, distractors=0.3)
        rgb.append(image)
        labels.append([float(k in kinds) for k in range(scenes.PARTS)])
    grid = clues.SIZES['grid'] - side // clues.SIZES['patch']
    return np.stack(rgb), np.array(labels, np.float32), rng.integers(0, grid + 1, 2)


def draw_batch(maker, seed, step, pictures, easy_steps, catalogue_steps):
    """Pictures of one size with their label vectors. The share of easy scenes falls from 1 to 0.15; half of the batches are
    scenes of a quarter of the area, twice as many: a label there says more about where to look."""
    rng = np.random.default_rng(seed)
    if step < catalogue_steps or (step < 2 * catalogue_steps and rng.random() < 0.15):
        return draw_catalogue(maker, rng, 6 * pictures)
    step -= catalogue_steps
    if rng.random() < 0.6:
        return draw_small(maker, rng, 2 * pictures)
    width, height = SHAPES[rng.integers(len(SHAPES))]
    side = (192, 224, 256, 256)[rng.integers(4)]
    easy_share = max(0.15, 1 - step / easy_steps)
    rgb, labels = [], []
    while len(rgb) < pictures:
        options = dict(width=width, height=height, distractors=0.3)
        if rng.random() < easy_share:
            options.update(classes=1 + int(rng.integers(2)), most=3, least_size=70.0)
        image, _, (w, h), kinds = maker.view(int(rng.integers(1 << 40)) + VALIDATION * 2, side, **options)
        rgb.append(image[:h, :w])
        labels.append([float(k in kinds) for k in range(scenes.PARTS)])
    return np.stack(rgb), np.array(labels, np.float32), None


def pooled(maps):
    """[b, n, h, w] -> [b, n]: the mean weighted by the softmax over the picture."""
    x = maps.flatten(2)
    return (x * x.softmax(-1)).sum(-1)


def loss_of(model, rgb, labels, corner):
    with torch.cpu.amp.autocast(dtype=torch.bfloat16):
        logits, maps = model(torch.from_numpy(rgb), corner)
    t, from_maps = torch.from_numpy(labels), pooled(maps)
    loss = F.binary_cross_entropy_with_logits(logits, t) + F.binary_cross_entropy_with_logits(from_maps, t)
    if rgb.shape[1] == 64:  # one part per picture: the classes also compete
        loss = loss + 0.3 * (F.cross_entropy(logits, t.argmax(1)) + F.cross_entropy(from_maps, t.argmax(1)))
    return loss, logits


def average_precision(scores, truth):
    order = np.argsort(-scores, kind='stable')
    hit = truth[order]
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit > 0].mean()) if hit.any() else float('nan')


@torch.no_grad()
def validate(model, maker, pictures=100):
    """Mean AP over classes of the token logits and of the pooled maps, on pictures as evaluation draws them."""
    a, b, truth = [], [], []
    for k in range(pictures):
        image, _, (w, h), kinds = maker.view(VALIDATION + k, 256, distractors=0.3)
        with torch.cpu.amp.autocast(dtype=torch.bfloat16):
            logits, maps = model(torch.from_numpy(np.ascontiguousarray(image[None, :h, :w])))
        a.append(logits[0].numpy())
        b.append(pooled(maps)[0].numpy())
        truth.append([k in kinds for k in range(scenes.PARTS)])
    a, b, truth = np.array(a), np.array(b), np.array(truth)
    ap = lambda s: float(np.nanmean([average_precision(s[:, c], truth[:, c]) for c in range(scenes.PARTS)]))
    return dict(val_tokens=ap(a), val_maps=ap(b), val_both=ap(a + b))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--library', required=True)
    p.add_argument('-o', dest='out', required=True)
    p.add_argument('--start', help='a segmenter.safetensors')
    p.add_argument('--steps', type=int, default=12000)
    p.add_argument('--decay', type=int, default=2500)
    p.add_argument('--rate', type=float, default=1e-3)
    p.add_argument('--pictures', type=int, default=8)
    p.add_argument('--catalogue', type=int, default=4000)
    p.add_argument('--easy', type=int, default=2000)
    p.add_argument('--every', type=int, default=500)
    p.add_argument('--keep', type=float, default=0.998, help='of the moving average; less for a short descent')
    p.add_argument('--resume', action='store_true')
    o = p.parse_args()
    torch.manual_seed(2)
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    torch.set_flush_denormal(True)
    os.makedirs(o.out, exist_ok=True)
    maker, model = scenes.Maker(o.library), clues.ClueNetwork()
    if o.start:
        encoder = common.load_safetensors(o.start, 'image_encoder.')
        print('taken from the segmenter:', model.start_from(encoder), 'tensors', flush=True)
    average = common.Average(model, o.keep)
    optimizer = muon.Muon(*muon.split(model.named_parameters()), weight_decay=0.03)
    schedule, log, step = common.Schedule(o.rate, o.steps, 300, o.decay, o.out), common.Log(o.out), 0
    state_path = os.path.join(o.out, 'state.pt')
    if o.resume:
        state = torch.load(state_path)
        for part, name in ((model, 'model'), (average.model, 'average'), (optimizer, 'optimizer')):
            if name in state:
                part.load_state_dict(state[name])
        step = state['step'] + 1
    batches = scenes.stream(lambda s: draw_batch(maker, s, s, o.pictures, o.easy, o.catalogue), step, depth=4)
    total, right = 0.0, 0.0
    while step < schedule.steps:
        rgb, labels, corner = next(batches)
        loss, logits = loss_of(model, rgb, labels, corner)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(schedule.at(step))
        average.update(model, step)
        total += loss.item()
        right += float((labels[np.arange(len(labels)), logits.detach().numpy().argmax(1)] > 0.5).mean())
        if step % 100 == 99:
            log.add(step=step + 1, loss=total / 100, right=right / 100)
            total, right = 0.0, 0.0
        if step % o.every == o.every - 1 or step == schedule.steps - 1:
            log.add(step=step + 1, **validate(average.model, maker))
            common.save_state(state_path, model=model, average=average.model, optimizer=optimizer, step=step)
            common.save_safetensors(os.path.join(o.out, 'clues.safetensors'), average.model.state_dict(),
                                    {'weaksam.heads': model.sizes['heads'], 'weaksam.classes': ','.join(scenes.NAMES)})
        step += 1


if __name__ == '__main__':
    main()
