"""Draws the pictures that the clue network and its teacher are trained on, with their image-level labels: sets.npz files.

catalogue  24 000 of 64 x 64, one part each         pairs  15 000 of 64 x 64, one or two parts and other things
small      10 000 of 128 x 128, up to three classes  full  10 000 scenes as evaluation draws them, long side 256
The first 400 full ones are for validation. About twenty minutes of one core, 3 GB.

usage: draw_sets.py --library build/demo/libscenes.so -o FOLDER [--share F]
"""
import argparse
import os

import numpy as np

import scenes

FIRST = 20_000_000  # evaluation draws from 9 000 000 on
COUNTS = dict(catalogue=24000, pairs=15000, small=10000, full=10000)
SIDES = dict(catalogue=64, pairs=64, small=128, full=256)
SHAPES = ((512, 384), (384, 512), (448, 448))


def options_of(name, rng):
    if name == 'catalogue':
        return dict(width=128, height=128, most=1, classes=1, least_size=50.0)
    if name == 'pairs':
        return dict(width=128, height=128, most=2, classes=2, least_size=30.0, distractors=0.3)
    if name == 'small':
        return dict(width=256, height=256, most=4, classes=1 + int(rng.integers(3)), least_size=24.0, distractors=0.3)
    width, height = SHAPES[rng.integers(len(SHAPES))]
    return dict(width=width, height=height, distractors=0.3)


def view(maker, rng, name, side):
    """Some seeds have no room for the classes that they are to show."""
    while True:
        try:
            return maker.view(FIRST + int(rng.integers(1 << 40)), side, **options_of(name, rng))
        except MemoryError:
            pass


def draw(maker, name, count):
    rng, side = np.random.default_rng(list(COUNTS).index(name)), SIDES[name]
    rgb, labels = np.zeros((count, side, side, 3), np.uint8), np.zeros((count, scenes.PARTS), np.uint8)
    content = np.zeros((count, 2), np.int32)
    for k in range(count):
        rgb[k], _, content[k], kinds = view(maker, rng, name, side)
        labels[k, [c for c in kinds if c < scenes.PARTS]] = 1
    return dict(rgb=rgb, labels=labels, content=content)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--library', required=True)
    p.add_argument('-o', dest='out', required=True)
    p.add_argument('--share', type=float, default=1.0, help='of the pictures, for a try; 0.05 at least')
    o = p.parse_args()
    os.makedirs(o.out, exist_ok=True)
    maker = scenes.Maker(o.library)
    for name, count in COUNTS.items():
        np.savez(os.path.join(o.out, name), **draw(maker, name, max(1, round(count * o.share))))
        print(name, flush=True)


if __name__ == '__main__':
    main()
