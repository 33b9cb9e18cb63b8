"""Trains a clue network on from the weight file that ships, on pictures that are drawn while it learns, so that none comes twice. Labels are
those of images alone: they teach the class tokens and the pooled map; the map as a whole is held near the one of before.

usage: tune_clues.py --library build/demo/libscenes.so --from weights/demo/clues.wsam -o FOLDER [--steps N] [--resume]
"""
import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F

import clues
import common
import draw_sets
import muon
import scenes
import sets
import train_clues
import wsam

SIDE = 256
VALIDATION = 8_000_000  # seeds of evaluation begin at 9 000 000, those of training at draw_sets.FIRST


class Pictures:
    """Batches of scenes of one shape, drawn ahead by threads of their own."""

    def __init__(self, maker, o, step):
        self.maker, self.o = maker, o
        self.batches = scenes.stream(self.draw, o.seed + step, depth=8)

    def draw(self, number):
        rng = np.random.default_rng(number)
        width, height = draw_sets.SHAPES[rng.integers(len(draw_sets.SHAPES))]
        options = dict(width=width, height=height, distractors=0.3, photographic=self.o.photographic)
        rgb, labels = [], np.zeros((self.o.pictures, scenes.PARTS), np.float32)
        while len(rgb) < self.o.pictures:
            try:
                picture, _, (w, h), kinds = self.maker.view(draw_sets.FIRST + int(rng.integers(1 << 40)), SIDE, **options)
            except MemoryError:  # no room for the classes that it is to show
                continue
            labels[len(rgb), [k for k in kinds if k < scenes.PARTS]] = 1
            rgb.append(picture[:h, :w])
        return torch.from_numpy(sets.augment(np.stack(rgb), rng)), torch.from_numpy(labels)


def validation(maker, count):
    rgb, labels, content = [], np.zeros((count, scenes.PARTS), np.float32), []
    for k in range(count):
        picture, _, size, kinds = maker.view(VALIDATION + k, SIDE, distractors=0.3)
        labels[k, [c for c in kinds if c < scenes.PARTS]] = 1
        rgb.append(picture)
        content.append([side // 8 * 8 for side in size])
    return rgb, labels, content


def losses_of(network, before, rgb, labels):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits, maps = network(rgb)
        with torch.no_grad():
            _, wanted = before(rgb)
    dense = torch.sigmoid(wanted) * labels[:, :, None, None]
    bce = F.binary_cross_entropy_with_logits
    return dict(tokens=3 * bce(logits, labels), pooled=bce(clues.pooled(maps), labels),
                dense=bce(maps, dense, reduction='none').sum(1).mean())


def train(network, before, maker, o):
    average = common.Average(network, o.keep)
    named = [(n, p) for n, p in network.named_parameters() if '.bn.' not in n]
    optimizer = muon.Muon(*muon.split(named), weight_decay=0.03)
    schedule = common.Schedule(o.rate, o.steps, 100, o.decay, o.out)
    step = train_clues.begin(o, network=network, average=average.model, optimizer=optimizer)
    pictures, seen = Pictures(maker, o, step), validation(maker, o.validate)
    if step == 0:
        common.Log(o.out).add(step=0, **train_clues.judged(network, seen))
    train_clues.learn(network, average, optimizer, [p for _, p in named], schedule,
                      lambda step: losses_of(network, before, *next(pictures.batches)), seen, o, step,
                      dict(network=network))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--library', required=True)
    p.add_argument('--from', dest='start', required=True)
    p.add_argument('-o', dest='out', required=True)
    p.add_argument('--steps', type=int, default=4000)
    p.add_argument('--decay', type=int, default=3000)
    p.add_argument('--rate', type=float, default=5e-4)
    p.add_argument('--seed', type=int, default=1, help='of the first batch')
    p.add_argument('--pictures', type=int, default=8, help='of a batch')
    p.add_argument('--photographic', type=float, default=0.0, help='share of the pictures that look like photographs')
    p.add_argument('--every', type=int, default=250)
    p.add_argument('--validate', type=int, default=200, help='pictures')
    p.add_argument('--keep', type=float, default=0.997, help='of the moving average')
    p.add_argument('--resume', action='store_true')
    o = p.parse_args()
    torch.manual_seed(4)
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    torch.set_flush_denormal(True)
    os.makedirs(o.out, exist_ok=True)
    network, before = clues.ClueNetwork(), clues.ClueNetwork()
    for n in (network, before):
        wsam.load_clues(o.start, n)
        n.eval()  # norms are folded into the convolutions before them
    train(network, before, scenes.Maker(o.library), o)


if __name__ == '__main__':
    main()
