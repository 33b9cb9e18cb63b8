"""Trains the promptable segmenter on drawn pictures, class-agnostically, as SAM was trained: points, boxes, corrective
clicks with the former mask as input; focal loss and 1 - IoU of the best mask of three, IoU regression.

Most steps see crops of a quarter of the picture, at their place on the position grid: a step costs half, and what is learned of
outlines holds in the whole picture. The last steps (from --whole on) see whole pictures.

usage: train_segmenter.py --library build/demo/libscenes.so -o FOLDER [--from FILE.wsam] [--steps N] [--resume]
"""
import argparse
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import common
import muon
import prints
import scenes
import segmenter
import wsam

SIDE = segmenter.SIZES['image']
FEW = 24 * SIDE ** 2 // 256 ** 2    # pixels: instances of fewer get no prompt
SMALL = 250 * SIDE ** 2 // 256 ** 2
SMALL_WEIGHT = 0.6                   # of an instance of fewer than SMALL pixels, to be chosen
LARGE = 32 * SIDE // 256             # pixels: a longer box counts in the figures
VALIDATION = 9_000_000  # seeds from here on are never trained on
INSPECTED = dict(set=scenes.INSPECTED, defects=1.0)
TRAINING = dict(without=sum(1 << k for k in scenes.HELD_OUT), generic=0.4, distractors=0.3, least_size=14.0)


def pick(rng, ids, n_instances, prompts):
    """`prompts` instances of a picture, those of few pixels never, small ones seldom, a repeat when there are fewer."""
    sizes = np.bincount(ids.ravel(), minlength=n_instances + 1)[1:]
    good = np.flatnonzero(sizes >= FEW)
    if len(good) == 0:
        return None
    weight = np.where(sizes[good] >= SMALL, 1.0, SMALL_WEIGHT)
    return rng.choice(good, prompts, replace=len(good) < prompts, p=weight / weight.sum()) + 1


def a_click(rng, mask, tries=6):
    """A random pixel of a mask; in half the cases the one of several with most of the mask around it."""
    ys, xs = np.nonzero(mask)
    at = rng.integers(len(ys), size=tries if rng.random() < 0.5 else 1)
    near = [mask[max(0, ys[k] - 4):ys[k] + 5, max(0, xs[k] - 4):xs[k] + 5].sum() for k in at]
    k = at[int(np.argmax(near))]
    return float(xs[k]), float(ys[k])


def a_box(rng, mask, jittered):
    """The mask's box, in a share of the cases with jittered corners (a tenth of the sides, 20 pixels at most)."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([xs[0], ys[0], xs[-1], ys[-1]], np.float32)
    if rng.random() < jittered:
        side = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        box += np.clip(rng.normal(0, 0.1, 4) * side, -20, 20).astype(np.float32)
        box = np.array([min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])])
    return box


def batch(views, rng, prompts, clicks_every, jittered):
    """Pictures with `prompts` prompts each: every `clicks_every`-th a click, the others boxes; both are two tokens."""
    rgb, content, owner, xy, labels, masks = [], [], [], [], [], []
    for image, ids, size, kinds in views:
        chosen = pick(rng, ids, len(kinds), prompts)
        if chosen is None:
            continue
        for i, instance in enumerate(chosen):
            mask = ids == instance
            masks.append(mask)
            owner.append(len(rgb))
            if i % clicks_every:
                box = a_box(rng, mask, jittered)
                xy.append([[box[0], box[1]], [box[2], box[3]]])
                labels.append([2, 3])
            else:
                xy.append([a_click(rng, mask), (0.0, 0.0)])
                labels.append([1, -1])
        rgb.append(image)
        content.append(size)
    return (torch.from_numpy(np.stack(rgb)), torch.tensor(content), torch.tensor(owner), torch.tensor(np.array(xy), dtype=torch.float32),
            torch.tensor(labels), torch.from_numpy(np.stack(masks)))


def mask_losses(logits, target):
    """Focal (gamma 2) loss and 1 - IoU of each mask, [n, masks]; the target has fractions at the outline."""
    p, t = logits.sigmoid(), target[:, None]
    miss = p * (1 - t) + t * (1 - p)
    focal = (F.binary_cross_entropy_with_logits(logits, t.expand_as(logits), reduction='none') * miss ** 2).mean((2, 3))
    both = (p * t).sum((2, 3))
    return 20 * focal + 1 - (both + 1) / (p.sum((2, 3)) + t.sum((2, 3)) - both + 1)


def ious(logits, target):
    """Of thresholded masks [n, m, h, w] with masks [n, h, w]."""
    a, b = logits > 0, target[:, None] > 0.5
    return (a & b).sum((2, 3)) / (a | b).sum((2, 3)).clamp(min=1)


def round_loss(logits, iou, target):
    """Mask 0 answers alone, the best of masks 1 to 3 as a choice; all scores are regressed."""
    each = mask_losses(logits, target)
    best = each[:, 1:].min(1)
    return (each[:, 0] + best[0]).mean() + F.mse_loss(iou, ious(logits.detach(), target))


def correct(rng, logits, target, xy, labels):
    """A click into the largest error of mask 0 at low resolution, put before the box or before the padding."""
    wrong = ((logits[:, 0] > 0) != (target > 0.5)).numpy()
    side = 2  # of the low-resolution masks' pixels
    new_xy, new_labels = [], []
    for i in range(len(wrong)):
        ys, xs = np.nonzero(wrong[i])
        if len(ys):
            k = rng.integers(len(ys))
            y, x, inside = ys[k], xs[k], int(target[i, ys[k], xs[k]] > 0.5)
        else:
            ys, xs = np.nonzero(target[i].numpy() > 0.5) if (target[i] > 0.5).any() else ([0], [0])
            k = rng.integers(len(ys))
            y, x, inside = ys[k], xs[k], 1
        click = [x * side + side / 2 - 0.5, y * side + side / 2 - 0.5]
        if labels[i, 0] == 2:
            new_xy.append([click] + xy[i].tolist())
            new_labels.append([inside, 2, 3])
        else:
            new_xy.append([xy[i, 0].tolist(), click, [0.0, 0.0]])
            new_labels.append([1, inside, -1])
    return torch.tensor(np.array(new_xy), dtype=torch.float32), torch.tensor(new_labels)


def mixed():
    """bf16 products, f32 everything else: 1.6 times as fast where the processor has them."""
    return torch.autocast('cpu', dtype=torch.bfloat16)


def encode(model, rgb, content, corner=(0, 0)):
    with mixed():
        return model.image_encoder(model.normalise(rgb, content), corner).float()


def decode(model, *prompts, **where):
    with mixed():
        return model.decode(*prompts, **where)


class Hints(torch.nn.Module):
    """Training only: dense answers that every embedding cell must hold, which give the encoder a gradient everywhere from
    the first step: foreground and outlines of its 4 x 4 low-resolution pixels, and where the instance under the cell's
    centre begins and ends."""

    def __init__(self, channels):
        super().__init__()
        self.read, self.extent = torch.nn.Conv2d(channels, 32, 1), torch.nn.Conv2d(channels, 4, 1)

    def forward(self, embedding, ids):
        return self.outlines(embedding, torch.from_numpy(ids)) + self.extents(embedding, ids)

    def outlines(self, embedding, ids):
        n, g = embedding.shape[0], embedding.shape[-1]
        small = ids[:, ::2, ::2].long()
        edge = torch.zeros_like(small, dtype=torch.bool)
        edge[:, 1:] |= small[:, 1:] != small[:, :-1]
        edge[:, :, 1:] |= small[:, :, 1:] != small[:, :, :-1]
        wanted = torch.stack([(small > 0).float(), edge.float()], 1)
        logits = F.pixel_shuffle(self.read(embedding), 4)
        return F.binary_cross_entropy_with_logits(logits, wanted.view(n, 2, 4 * g, 4 * g))

    def extents(self, embedding, ids):
        """Distances to the four sides of the instance's box, in units of 32 pixels; cells of the background do not count."""
        g = embedding.shape[-1]
        step = ids.shape[-1] // g
        at = np.arange(g) * step + step // 2
        wanted, inside = np.zeros((len(ids), 4, g, g), np.float32), ids[:, step // 2::step, step // 2::step] > 0
        for k, picture in enumerate(ids):
            cells = picture[step // 2::step, step // 2::step]
            for i in np.unique(cells[cells > 0]):
                mask = picture == i
                ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                y, x = np.nonzero(cells == i)
                wanted[k, :, y, x] = np.stack([at[x] - xs[0], at[y] - ys[0], xs[-1] - at[x], ys[-1] - at[y]], 1) / 32
        error = F.smooth_l1_loss(self.extent(embedding), torch.from_numpy(wanted), reduction='none').sum(1)
        return (error * torch.from_numpy(inside)).sum() / max(1, inside.sum())


def train_step(model, hints, views, rng, prompts, second, clicks_every, jittered, hint_weight=1.0):
    rgb, content, owner, xy, labels, masks = batch(views, rng, prompts, clicks_every, jittered)
    corner = rng.integers(0, (SIDE - rgb.shape[1]) // model.sizes['patch'] + 1, 2).tolist()
    embedding = encode(model, rgb, content, corner)
    target = F.avg_pool2d(masks[:, None].float(), 2)[:, 0]
    logits, iou = decode(model, embedding, owner, xy, labels, corner=corner)
    first = labels
    loss = round_loss(logits, iou, target)
    if second:
        xy, labels = correct(rng, logits.detach(), target, xy, labels)
        logits2, iou2 = decode(model, embedding, owner, xy, labels, logits[:, :1].detach().clamp(-32, 32),
                               corner=corner)
        loss = loss + 0.5 * round_loss(logits2, iou2, target)
    hint = torch.zeros(())
    if hint_weight:
        hint = hint_weight * hints(embedding, np.stack([v[1] for v in views if pickable(v)]))
    with torch.no_grad():
        found, boxed = ious(logits, target), first[:, 0] == 2
    click, box = found[~boxed, 1:].max(1)[0].mean().item(), found[boxed, 0].mean().item()
    return loss + hint, dict(loss=loss.item(), hint=hint.item(), click=click, box=box)


def pickable(view):
    return (np.bincount(view[1].ravel(), minlength=2)[1:] >= FEW).any()


def crops(view, rng, side, count):
    """Up to `count` crops of a view that hold something to prompt."""
    image, ids, (width, height), kinds = view
    found = []
    for _ in range(count):
        x, y = int(rng.integers(0, max(1, width - side + 17))), int(rng.integers(0, max(1, height - side + 17)))
        x, y = min(x, SIDE - side), min(y, SIDE - side)
        at = (slice(y, y + side), slice(x, x + side))
        crop = (image[at], ids[at], (min(side, width - x), min(side, height - y)), kinds)
        if pickable(crop):
            found.append(crop)
    return found


@torch.no_grad()
def validate(model, maker, pictures=40):
    """Mean IoU at the model's size of instances whose box is over LARGE pixels long: a click (best of three), the box (mask 0); and the box figure of the
    classes held out."""
    click, box, unseen = [], [], []
    rng = np.random.default_rng(1)
    for k in range(pictures):
        image, ids, size, kinds = maker.view(VALIDATION + k, SIDE, distractors=0.3)
        xy, labels, masks, kept = [], [], [], []
        for i in range(len(kinds)):
            mask = ids == i + 1
            if mask.sum() < FEW:
                continue
            ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            if max(ys[-1] - ys[0], xs[-1] - xs[0]) < LARGE:
                continue
            b = [xs[0], ys[0], xs[-1], ys[-1]]
            xy += [[a_click(rng, mask, 40), (0.0, 0.0)], [[b[0], b[1]], [b[2], b[3]]]]
            labels += [[1, -1], [2, 3]]
            masks += [mask, mask]
            kept.append(kinds[i])
        if not kept:
            continue
        embedding = encode(model, torch.from_numpy(image)[None], torch.tensor([size]))
        logits, _ = decode(model, embedding, torch.zeros(len(xy), dtype=torch.long), torch.tensor(np.array(xy), dtype=torch.float32), torch.tensor(labels))
        logits = F.interpolate(logits, (SIDE, SIDE), mode='bilinear', align_corners=False)
        found = ious(logits, torch.from_numpy(np.stack(masks)).float())
        click += found[0::2, 1:].max(1)[0].tolist()
        box += found[1::2, 0].tolist()
        unseen += [v for v, kind in zip(found[1::2, 0].tolist(), kept) if kind in scenes.HELD_OUT]
    return dict(val_click=float(np.mean(click)), val_box=float(np.mean(box)), val_unseen=float(np.mean(unseen)), instances=len(box))


def checkpoint_notes(sizes):
    return {'weaksam.decoder_heads': sizes['decoder_heads']}


def options():
    p = argparse.ArgumentParser()
    p.add_argument('--library', required=True)
    p.add_argument('-o', dest='out', required=True)
    p.add_argument('--from', dest='start', help='begin with the weights of this .wsam file')
    p.add_argument('--resume', action='store_true', help='go on from the folder\'s last state')
    p.add_argument('--steps', type=int, default=12000)
    p.add_argument('--warmup', type=int, default=300)
    p.add_argument('--decay', type=int, default=2500)
    p.add_argument('--rate', type=float, default=8e-4)
    p.add_argument('--keep', type=float, default=0.998, help='of the moving average; less for a short descent')
    p.add_argument('--seed', type=int, default=1_000, help='of the first picture')
    p.add_argument('--photographic', type=float, default=0.0, help='share of the pictures that look like photographs')
    p.add_argument('--inspected', type=float, default=0.0, help='share of the pictures that show one part with defects, which are its instances')
    p.add_argument('--printed', type=float, default=0.0, help='share of the larger parts that carry prints, which belong to them')
    p.add_argument('--pictures', type=int, default=6, help='or crops, of a step')
    p.add_argument('--crop', type=int, default=192, help='train on crops of this side until step --whole')
    p.add_argument('--crops-per-view', type=int, default=3)
    p.add_argument('--whole', type=int, default=9500)
    p.add_argument('--whole-every', type=int, default=0, help='every so manieth step before has whole pictures too, a quarter as many')
    p.add_argument('--prompts', type=int, default=8)
    p.add_argument('--clicks-every', type=int, default=2, help='this many prompts have one click, the others are boxes')
    p.add_argument('--jittered', type=float, default=0.5, help='share of the boxes')
    p.add_argument('--hints', type=float, default=1.0, help='weight of the dense answers; 0 for a model that has learnt')
    p.add_argument('--every', type=int, default=250, help='steps from one checkpoint and validation to the next')
    p.add_argument('--validate', type=int, default=40, help='pictures')
    return p.parse_args()


class Pictures:
    """What the steps see: whole pictures or crops of them."""

    def __init__(self, maker, o, step):
        self.maker, self.options = maker, o
        self.views = scenes.stream(self.draw, o.seed + step * o.pictures * 2)

    def draw(self, seed):
        o = self.options
        defective = seed * 0.618034 % 1.0 < o.inspected  # spread evenly over the seeds
        chosen = INSPECTED if defective else TRAINING
        image, ids, size, kinds = self.maker.view(seed, SIDE, photographic=o.photographic, **chosen)
        if o.printed and not defective:
            image = prints.add(np.random.default_rng(seed), image, ids, o.printed)
        return image, ids, size, kinds

    def of_step(self, step, rng):
        o, whole = self.options, step >= self.options.whole
        between = not whole and o.whole_every and step % o.whole_every == 0
        wanted, chosen = max(1, o.pictures // 4) if between else o.pictures, []
        while len(chosen) < wanted:
            view = next(self.views)
            if whole or between:
                chosen += [view] if pickable(view) else []
            else:
                chosen += crops(view, rng, o.crop, o.crops_per_view)
        return chosen[:wanted]


def main():
    o = options()
    torch.manual_seed(1)
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    torch.set_flush_denormal(True)
    os.makedirs(o.out, exist_ok=True)
    maker, model = scenes.Maker(o.library), segmenter.Segmenter()
    if o.start:
        wsam.load(o.start, model)
    hints, average = Hints(model.sizes['channels']), common.Average(model, o.keep)
    trained = list(model.parameters()) + list(hints.parameters())
    optimizer = muon.Muon(*muon.split(list(model.named_parameters()) + list(hints.named_parameters())))
    schedule, log, step = common.Schedule(o.rate, o.steps, o.warmup, o.decay, o.out), common.Log(o.out), 0
    state_path = os.path.join(o.out, 'state.pt')
    if o.resume:
        state = torch.load(state_path)
        for part, name in ((model, 'model'), (hints, 'hints'), (average.model, 'average'), (optimizer, 'optimizer')):
            if name in state:
                part.load_state_dict(state[name])
        step = state['step'] + 1
    rng, pictures, sums = np.random.default_rng(step), Pictures(maker, o, step), {}
    while step < schedule.steps:
        loss, shown = train_step(model, hints, pictures.of_step(step, rng), rng, o.prompts, second=step % 4 == 3,
                                 clicks_every=o.clicks_every, jittered=o.jittered, hint_weight=o.hints)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step(schedule.at(step))
        average.update(model, step)
        for k, v in shown.items():
            sums[k] = sums.get(k, 0) + v
        if step % 50 == 49:
            log.add(step=step + 1, cpu=time.process_time(), **{k: v / 50 for k, v in sums.items()})
            sums = {}
        if step % o.every == o.every - 1 or step == schedule.steps - 1:
            log.add(step=step + 1, **validate(average.model, maker, o.validate))
            common.save_state(state_path, model=model, hints=hints, average=average.model, optimizer=optimizer, step=step)
            common.save_safetensors(os.path.join(o.out, 'segmenter.safetensors'), average.model.state_dict(),
                                    checkpoint_notes(model.sizes))
        step += 1


if __name__ == '__main__':
    main()
