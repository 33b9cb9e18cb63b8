"""Prints on parts: flat figures in one colour, without a shadow or an edge that catches light, which belong to the part that they lie on.
Photographs are full of them (labels, playing cards, scales, lettering); without them a segmenter takes each for an object."""
import numpy as np

LEAST = 1600  # pixels: smaller parts get none


def _figure(rng, height, width):
    """A mask of a bar, a ring, a disc, a polygon or a row of letter-like strokes that fills about [height, width]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    v, u = (y - height / 2 + 0.5) / (height / 2), (x - width / 2 + 0.5) / (width / 2)
    kind = rng.integers(5)
    if kind == 0:
        angle, thick = rng.uniform(0, np.pi), rng.uniform(0.1, 0.4)
        return (np.abs(u * np.sin(angle) - v * np.cos(angle)) < thick) & (u * u + v * v < 1)
    if kind == 1:
        r = np.hypot(u, v)
        return (r < 1) & (r > rng.uniform(0.3, 0.8))
    if kind == 2:
        return u * u + v * v < 1
    if kind == 3:
        corners, turn, depth = rng.integers(3, 8), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.95)
        wave = 0.5 + 0.5 * np.cos(corners * (np.arctan2(v, u) + turn))
        return np.hypot(u, v) < depth + (1 - depth) * wave
    columns, rows = rng.integers(2, 6), rng.integers(2, 6)
    cells = rng.random((rows, columns)) < 0.55
    return cells[np.minimum((y * rows / height).astype(int), rows - 1), np.minimum((x * columns / width).astype(int), columns - 1)]


def _colour(rng, beneath):
    """A pigment's reflectance per channel that stands out against what lies beneath."""
    tone = rng.uniform(0.05, 0.5) if beneath > 70 or rng.random() < 0.5 else rng.uniform(1.5, 2.5)
    return tone * (1 + rng.uniform(-0.5, 0.5, 3) * (rng.random() < 0.6))


def _print_one(rng, image, mask, box, pigment):
    y0, x0, y1, x1 = box
    side = max(y1 - y0, x1 - x0)
    h = int(np.clip(side * rng.uniform(0.08, 0.55), 6, 400))
    w = int(np.clip(h * rng.uniform(0.5, 2.0), 6, 400))
    cy, cx = int(rng.integers(y0, y1)), int(rng.integers(x0, x1))
    top, left = cy - h // 2, cx - w // 2
    a, b = max(0, top), max(0, left)
    c, d = min(mask.shape[0], top + h), min(mask.shape[1], left + w)
    if c <= a or d <= b:
        return
    figure = _figure(rng, h, w)[a - top:c - top, b - left:d - left] & mask[a:c, b:d]
    part = image[a:c, b:d].astype(np.float32)
    printed = np.clip(part * pigment if pigment.mean() < 1 else part * 0.4 + 60 * pigment, 0, 255)
    part[figure] = printed[figure]
    image[a:c, b:d] = part.astype(np.uint8)


def _inner(mask, by):
    """The mask without its outermost pixels: a print keeps off the edge that shows the part's outline."""
    inner = mask.copy()
    for _ in range(by):
        inner[1:] &= inner[:-1].copy()
        inner[:-1] &= inner[1:].copy()
        inner[:, 1:] &= inner[:, :-1].copy()
        inner[:, :-1] &= inner[:, 1:].copy()
    return inner


def add(rng, image, ids, share):
    """A copy of the image in which a share of the larger instances carries one to six prints."""
    sizes = np.bincount(ids.ravel(), minlength=2)
    chosen = [i for i in range(1, len(sizes)) if sizes[i] >= LEAST and rng.random() < share]
    if not chosen:
        return image
    image = image.copy()
    for i in chosen:
        mask = ids == i
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (ys[0], xs[0], ys[-1] + 1, xs[-1] + 1)
        mask = _inner(mask, int(rng.integers(1, 4)))
        pigment = _colour(rng, float(image[ids == i].mean()))
        for _ in range(int(rng.integers(1, 7))):
            if rng.random() < 0.25:
                pigment = _colour(rng, float(image[ids == i].mean()))
            _print_one(rng, image, mask, box, pigment)
    return image
