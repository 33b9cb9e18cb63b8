"""Batches of the pictures that draw_sets.py made, and the measure of a network that is trained on them."""
import os

import numpy as np
import torch

VALIDATION = 400
CROP = 128


def augment(rgb, rng):
    """Mirrored, transposed, and other light for every picture. [n, H, W, 3] bytes"""
    for axes in (1, 2):
        if rng.random() < 0.5:
            rgb = np.flip(rgb, axes)
    if rng.random() < 0.5:
        rgb = rgb.transpose(0, 2, 1, 3)
    n = len(rgb)
    gain = rng.uniform(0.75, 1.3, (n, 1, 1, 1)) * rng.uniform(0.93, 1.07, (n, 1, 1, 3))
    offset = rng.uniform(-20, 20, (n, 1, 1, 1))
    return np.clip(rgb * gain.astype(np.float32) + offset.astype(np.float32), 0, 255).astype(np.uint8)


class Sets:
    """sizes: how many pictures of a set a batch has."""

    def __init__(self, folder, sizes):
        self.sizes, self.data = sizes, {}
        for name in set(sizes) - {'crop'} | {'full'}:
            with np.load(os.path.join(folder, name + '.npz')) as f:
                self.data[name] = f['rgb'], f['labels'].astype(np.float32), f['content']
        self.validation = tuple(a[:VALIDATION] for a in self.data['full'])
        self.data['full'] = tuple(a[VALIDATION:] for a in self.data['full'])
        shapes, members = np.unique(self.data['full'][2], axis=0, return_inverse=True)
        self.shapes = [(w, h, np.flatnonzero(members == i)) for i, (w, h) in enumerate(shapes)]

    def batch(self, name, rng):
        """Bytes [n, H, W, 3] and labels [n, classes]; of 'crop', the labels of the whole pictures."""
        rgb, labels, _ = self.data['full' if name == 'crop' else name]
        n = self.sizes[name]
        if name in ('full', 'crop'):  # pictures of one size
            shares = np.array([len(m) for _, _, m in self.shapes], float)
            width, height, members = self.shapes[rng.choice(len(self.shapes), p=shares / shares.sum())]
            chosen = rng.choice(members, n)
            rgb = rgb[chosen, :height, :width]
        else:
            chosen = rng.integers(0, len(rgb), n)
            rgb = rgb[chosen]
        if name == 'crop':
            corners = rng.integers(0, ((height - CROP) // 8 + 1, (width - CROP) // 8 + 1), (n, 2)) * 8
            rgb = np.stack([picture[y:y + CROP, x:x + CROP] for picture, (y, x) in zip(rgb, corners)])
        return torch.from_numpy(augment(rgb, rng)), torch.from_numpy(labels[chosen])


def average_precision(scores, truth):
    hit = truth[np.argsort(-scores, kind='stable')]
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit > 0].mean()) if hit.any() else float('nan')


@torch.no_grad()
def mean_precision(answers, validation):
    """Mean AP over the classes for every score [n] in the list that `answers` makes of a picture [1, H, W, 3]."""
    rgb, labels, content = validation
    scores = []
    for picture, (w, h) in zip(rgb, content):
        with torch.cpu.amp.autocast(dtype=torch.bfloat16):
            scores.append([s[0].numpy() for s in answers(torch.from_numpy(picture[None, :h, :w].copy()))])
    scores = np.array(scores)
    of = lambda s: float(np.nanmean([average_precision(s[:, c], labels[:, c]) for c in range(labels.shape[1])]))
    return [of(scores[:, i]) for i in range(scores.shape[1])]
