"""Trains the clue network from image-level labels: the class tokens' logits, and its map, pooled, are to say which classes a picture
shows; and its map and its patches are to follow those of a teacher (train_teacher.py) that had nothing but these labels either.
The teacher's stem is taken over and stays as it is.

usage: train_clues.py --sets FOLDER --teacher teacher.pt -o FOLDER [--steps N] [--resume]
"""
import argparse
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import clues
import common
import muon
import scenes
import sets
import teacher

SIZES = dict(catalogue=48, pairs=48, small=16, crop=16, full=6)
MIXTURES = ((0.40, (0.03, 0.12, 0.25, 0.30, 0.30)), (0.85, (0.0, 0.05, 0.20, 0.20, 0.55)), (1.0, (0.0, 0.0, 0.10, 0.10, 0.80)))


class Student(nn.Module):
    """The network, and what compares its patches with the teacher's features."""

    def __init__(self, guide):
        super().__init__()
        self.network = clues.ClueNetwork()
        self.network.patch_embed.stem.load_state_dict(guide.stem.state_dict())
        for p in self.network.patch_embed.stem.parameters():
            p.requires_grad_(False)
        self.compare = nn.Linear(self.network.sizes['width'], guide.head.in_channels)

    def named(self):
        network = [(n, p) for n, p in self.network.named_parameters() if p.requires_grad]
        return network + [('compare_embed', p) for p in self.compare.parameters()]


def corner_of(rgb, rng):
    """Where on the position grid a small picture lies; whole ones have it resampled."""
    grid, patch = clues.SIZES['grid'], clues.SIZES['patch']
    return rng.integers(0, grid - rgb.shape[1] // patch + 1, 2) if rgb.shape[1] == rgb.shape[2] <= 128 else None


def loss_of(student, guide, rgb, labels, corner, cropped):
    """What a crop shows is the teacher's word, limited to the picture's labels."""
    with torch.cpu.amp.autocast(dtype=torch.bfloat16):
        with torch.no_grad():
            stem = guide.stem(clues.normalised(rgb))
            wanted, features = guide.after_stem(stem)
        logits, maps, patches = student.network.after_stem(stem, corner)
    likeness = student.compare(F.layer_norm(patches.float(), patches.shape[-1:]))
    features = features.flatten(2).transpose(1, 2)
    dense = torch.sigmoid(wanted) * labels[:, :, None, None]
    if cropped:
        labels = torch.sigmoid(clues.pooled(wanted)) * labels
    bce = F.binary_cross_entropy_with_logits
    return dict(dense=2 * bce(maps, dense, reduction='none').sum(1).mean(),
                features=F.mse_loss(likeness, F.layer_norm(features, features.shape[-1:])),
                tokens=3 * bce(logits, labels), pooled=bce(clues.pooled(maps), labels))


def judged(network, validation):
    """Mean AP of what the class tokens and the pooled map say."""
    tokens, maps = sets.mean_precision(lambda x: (lambda a, b: (a, clues.pooled(b)))(*network(x)), validation)
    return dict(val_tokens=tokens, val_maps=maps)


def learn(network, average, optimizer, trained, schedule, losses_of_step, validation, o, step, parts):
    """Steps to the schedule's end; `losses_of_step(step)` gives losses by name. Every o.every steps the average is judged, and
    what a resumption needs (`parts` by name, beside the average and the optimizer) and the network as it is now are written."""
    log, total = common.Log(o.out), {}
    while step < schedule.steps:
        losses = losses_of_step(step)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(trained, 2.0)
        optimizer.step(schedule.at(step))
        average.update(network, step)
        total = {k: total.get(k, 0) + v.item() / o.every for k, v in losses.items()}
        if step % o.every == o.every - 1 or step == schedule.steps - 1:
            log.add(step=step + 1, cpu=time.process_time(), **judged(average.model, validation), **total)
            common.save_state(os.path.join(o.out, 'state.pt'), average=average.model, optimizer=optimizer, step=step, **parts)
            common.save_safetensors(os.path.join(o.out, 'clues.safetensors'), average.model.state_dict(),
                                    {'weaksam.heads': network.sizes['heads'], 'weaksam.classes': ','.join(scenes.NAMES)})
            total = {}
        step += 1


def begin(o, **parts):
    """The step to begin with; with --resume the parts are those of the last state."""
    if not o.resume:
        return 0
    state = torch.load(os.path.join(o.out, 'state.pt'))
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state['step'] + 1


def train(student, guide, data, o):
    network = student.network
    average = common.Average(network, o.keep)
    optimizer = muon.Muon(*muon.split(student.named()), weight_decay=0.03)
    schedule = common.Schedule(o.rate, o.steps, 100, o.steps * 3 // 10, o.out)
    step = begin(o, student=student, average=average.model, optimizer=optimizer)
    rng = np.random.default_rng(3 + step)

    def losses_of_step(step):
        name = rng.choice(list(SIZES), p=next(shares for end, shares in MIXTURES if step < end * schedule.steps))
        rgb, labels = data.batch(name, rng)
        return loss_of(student, guide, rgb, labels, corner_of(rgb, rng), name == 'crop')

    learn(network, average, optimizer, list(network.parameters()), schedule, losses_of_step, data.validation, o, step,
          dict(student=student))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--sets', required=True)
    p.add_argument('--teacher', required=True)
    p.add_argument('-o', dest='out', required=True)
    p.add_argument('--steps', type=int, default=5000)
    p.add_argument('--rate', type=float, default=1e-3)
    p.add_argument('--every', type=int, default=500)
    p.add_argument('--keep', type=float, default=0.997, help='of the moving average')
    p.add_argument('--resume', action='store_true')
    o = p.parse_args()
    torch.manual_seed(3)
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    torch.set_flush_denormal(True)
    os.makedirs(o.out, exist_ok=True)
    guide = teacher.Teacher().to(memory_format=torch.channels_last)
    guide.load_state_dict(torch.load(o.teacher))
    guide.eval()
    student = Student(guide)
    student.network.eval()  # the stem's norms stay
    train(student, guide, sets.Sets(o.sets, SIZES), o)


if __name__ == '__main__':
    main()
