"""How good clues and scored boxes are, by the truth of drawn images. Prints one number, per cent.

usage: clue_figures.py inside TRUTH.json points.jsonl      clue points that lie in an object of their class
       clue_figures.py pairs  TRUTH.json points.jsonl      image-class pairs that have a point at all
       clue_figures.py chance TRUTH.json                   points at random places that would, mean over image-class pairs
       clue_figures.py prevalence TRUTH.json               image-level mAP of one score for all
       clue_figures.py recall TRUTH.json scores.json N     objects that have IoU 0.5 with one of the N best boxes of their image"""
import json
import sys


def run_lengths(segmentation):
    """COCO's run lengths of zeros and ones in turn, column by column."""
    counts = segmentation['counts']
    if isinstance(counts, list):
        return counts
    lengths, at = [], 0
    while at < len(counts):
        value = shift = 0
        more = True
        while more:
            bits = ord(counts[at]) - 48
            value |= (bits & 31) << shift
            shift += 5
            more = bits & 32
            at += 1
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
    return lengths


def is_inside(lengths, height, x, y):
    left = x * height + y
    for i, n in enumerate(lengths):
        if left < n:
            return i % 2 == 1
        left -= n
    return False


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h) if w > 0 and h > 0 else 0.0


def by_image(annotations):
    images = {}
    for a in annotations:
        images.setdefault(a['image_id'], []).append(a)
    return images


def points(truth, path):
    """Shares of points inside, and of pairs with a point."""
    ids = {i['file_name']: i['id'] for i in truth['images']}
    names = {c['id']: c['name'] for c in truth['categories']}
    height = {i['id']: i['height'] for i in truth['images']}
    objects = {}
    for a in truth['annotations']:
        objects.setdefault((a['image_id'], names[a['category_id']]), []).append(run_lengths(a['segmentation']))
    inside = total = 0
    seen = set()
    with open(path) as f:
        for line in f:
            record = json.loads(line)
            image = ids[record['image']]
            for p in record['points']:
                pair = (image, p['class'])
                seen.add(pair)
                total += 1
                inside += any(is_inside(m, height[image], int(p['x']), int(p['y'])) for m in objects.get(pair, []))
    return inside / total if total else 0.0, len(seen & set(objects)) / len(objects)


def chance(truth):
    pixels = {i['id']: i['width'] * i['height'] for i in truth['images']}
    area = {}
    for a in truth['annotations']:
        pair = (a['image_id'], a['category_id'])
        area[pair] = area.get(pair, 0) + sum(run_lengths(a['segmentation'])[1::2])
    return sum(n / pixels[image] for (image, _), n in area.items()) / len(area)


def prevalence(truth):
    shown = {}
    for a in truth['annotations']:
        shown.setdefault(a['category_id'], set()).add(a['image_id'])
    return sum(len(s) for s in shown.values()) / len(shown) / len(truth['images'])


def recall(truth, path, most):
    with open(path) as f:
        boxes = by_image(json.load(f))
    found = 0
    for image, objects in by_image(truth['annotations']).items():
        best = sorted(boxes.get(image, []), key=lambda b: -b['score'])[:most]
        found += sum(any(iou(o['bbox'], b['bbox']) >= 0.5 for b in best) for o in objects)
    return found / len(truth['annotations'])


def main():
    what = sys.argv[1]
    with open(sys.argv[2]) as f:
        truth = json.load(f)
    if what in ('inside', 'pairs'):
        value = points(truth, sys.argv[3])[what == 'pairs']
    elif what == 'recall':
        value = recall(truth, sys.argv[3], int(sys.argv[4]))
    else:
        value = {'chance': chance, 'prevalence': prevalence}[what](truth)
    print(100 * value)


main()
