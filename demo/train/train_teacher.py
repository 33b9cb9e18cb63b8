"""Trains the clue network's teacher from image-level labels alone: a small convolutional network whose map, pooled over the
picture, says which classes it shows. A catalogue comes first (one part per picture, so that the classes compete), then scenes; what
it learns in half an hour of two cores a transformer of that size does not learn in a day from the same labels.

usage: train_teacher.py --sets FOLDER -o FOLDER [--catalogue STEPS] [--steps N]
"""
import argparse
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import clues
import common
import sets
import teacher

MIXTURES = ((0.25, (0.30, 0.15, 0.30, 0.25)), (0.60, (0.12, 0.12, 0.30, 0.46)), (1.0, (0.05, 0.10, 0.20, 0.65)))
NAMES = ('catalogue', 'pairs', 'small', 'full')


def settle(model, data, rng):
    """The norms' statistics are those of whole pictures, averaged over a dozen batches; then for evaluation."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    with torch.no_grad():
        for _ in range(12):
            model(data.batch('full', rng)[0])
    for m in norms:
        m.momentum = 0.1
    model.eval()


def loss_of(model, rgb, labels, alone):
    with torch.cpu.amp.autocast(dtype=torch.bfloat16):
        maps = model(rgb)
    scores = clues.pooled(maps)
    loss = 3 * F.binary_cross_entropy_with_logits(scores, labels)
    return loss + (0.5 * F.cross_entropy(scores, labels.argmax(1)) if alone else 0)


def phase(model, data, rng, log, o, steps, choose, rate_at, path):
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=o.rate, weight_decay=0.05), []
    for step in range(steps):
        name = choose(step)
        loss = loss_of(model, *data.batch(name, rng), name == 'catalogue')
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.param_groups[0]['lr'] = o.rate * min(1, (step + 1) / 100) * rate_at(step / steps) + 1e-5
        optimizer.step()
        losses.append(loss.item())
        if step % o.every == o.every - 1 or step == steps - 1:
            settle(model, data, rng)
            log.add(step=step + 1, loss=float(np.mean(losses)),
                    val=sets.mean_precision(lambda x: [clues.pooled(model(x))], data.validation)[0])
            torch.save(model.state_dict(), path)
            model.train()
            losses = []


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--sets', required=True)
    p.add_argument('-o', dest='out', required=True)
    p.add_argument('--catalogue', type=int, default=2000)
    p.add_argument('--steps', type=int, default=7700)
    p.add_argument('--rate', type=float, default=3e-3)
    p.add_argument('--every', type=int, default=1000)
    o = p.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    torch.set_flush_denormal(True)
    os.makedirs(o.out, exist_ok=True)
    rng, log, path = np.random.default_rng(1), common.Log(o.out), os.path.join(o.out, 'teacher.pt')
    data = sets.Sets(o.sets, dict(catalogue=96, pairs=96, small=32, full=12))
    model = teacher.Teacher().to(memory_format=torch.channels_last)
    phase(model, data, rng, log, o, o.catalogue, lambda step: 'catalogue', lambda f: 1 - f, path)
    mixture = lambda step: next(shares for end, shares in MIXTURES if step < end * o.steps)
    phase(model, data, rng, log, o, o.steps, lambda step: rng.choice(NAMES, p=mixture(step)), lambda f: min(1, 1.6 * (1 - f)), path)


if __name__ == '__main__':
    main()
