"""Images with truth for demo/evaluate_pilot.c: what a run found on drawn images, or more images of the same kind by a model of it.

usage: pilot_pictures.py OUT/final.json PICTURES/instances.json [COUNT [SEED]] > PICTURES.txt

Without COUNT: the images themselves, a line each. With it: COUNT images from a model that is fitted to them:

  objects     those of one of the images, at random (so classes appear together and in numbers as they do)
  an image    has an effect u ~ N(0, 1): on some images everything is harder
  an object   is found with logit a[class] + A u; its confidence then has logit h[class] + H u + e
  false ones  as many as a Poisson law says whose mean is m exp(-M u), m from the classes of the image; each of one of these
              classes, by their rates, with logit f[class] + e
  e           a residual of one of the real detections, right or false, at random, with normal noise of a fifth of their
              interquartile spread: the real shape, smoothed (a normal law has a tail of confident false ones that no run has)

a are the classes' means, h and f their medians, drawn to that of all as far as chance alone would scatter them; A, H and M are
moments: what images vary beyond chance."""
import json
import math
import random
import sys


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h) if w > 0 and h > 0 else 0.0


def load(path):
    with open(path) as f:
        data = json.load(f)
    names = {c['id']: c['name'] for c in data['categories']}
    found = {i['file_name'].rsplit('/', 1)[-1]: [] for i in data['images']}
    files = {i['id']: i['file_name'].rsplit('/', 1)[-1] for i in data['images']}
    for a in data['annotations']:
        found[files[a['image_id']]].append((a.get('confidence', 1), names[a['category_id']], a['bbox']))
    return found, [c['name'] for c in data['categories']]


def pictures(found, truth, classes):
    """[(classes of the objects, which of them are found, [(class, confidence, right)])]"""
    out = []
    for name, objects in sorted(truth.items()):
        rest, seen = list(range(len(objects))), []
        for score, label, box in sorted(found.get(name, []), key=lambda d: -d[0]):
            good = [k for k in rest if objects[k][1] == label and iou(objects[k][2], box) >= 0.5]
            if good:
                rest.remove(max(good, key=lambda k: iou(objects[k][2], box)))
            seen.append((classes.index(label), min(max(score, 0.001), 0.999), bool(good)))
        out.append(([classes.index(o[1]) for o in objects], seen))
    return out


def line(objects, seen):
    letters = ''.join(chr(97 + c) for c in objects) or '-'
    return letters + ''.join(f' {chr(97 + c)}{round(1000 * s):03d}{"+" if right else "-"}' for c, s, right in seen)


def logit(p):
    return math.log(p / (1 - p))


def logistic(t):
    return 1 / (1 + math.exp(-t))


def mean(v):
    return sum(v) / len(v) if v else 0.0


def variance(v):
    m = mean(v)
    return sum((x - m) ** 2 for x in v) / max(1, len(v) - 1)


def median(v):
    v = sorted(v)
    return v[len(v) // 2] if v else 0.0


def by_class(pairs, n, middle=mean):
    """Means or medians of (class, value), drawn to that of all as far as chance alone would scatter them."""
    of_all, spread = middle([v for _, v in pairs]), variance([v for _, v in pairs])
    groups = [[v for c, v in pairs if c == k] for k in range(n)]
    chance = [spread * (1.57 if middle is median else 1) / max(1, len(g)) for g in groups]
    seen = [(middle(g), e) for g, e in zip(groups, chance) if len(g) > 1]
    between = max(0.0, variance([m for m, _ in seen]) - mean([e for _, e in seen]))
    return [of_all + (middle(g) - of_all) * between / (between + e) if g else of_all for g, e in zip(groups, chance)]


class Shape:
    """Residuals to draw from."""

    def __init__(self, values):
        self.values = sorted(values)
        n = len(values)
        self.noise = 0.2 * (self.values[3 * n // 4] - self.values[n // 4]) / 1.349

    def draw(self, r):
        return r.choice(self.values) + r.gauss(0, self.noise)


def beyond_chance(pairs):
    """Standard deviation of image means of (image, residual) beyond that within images: analysis of variance."""
    groups = {}
    for i, v in pairs:
        groups.setdefault(i, []).append(v)
    within = sum((v - mean(g)) ** 2 for g in groups.values() for v in g) / max(1, sum(len(g) - 1 for g in groups.values()))
    size = mean([len(g) for g in groups.values()])
    between = size * variance([mean(g) for g in groups.values()])
    return math.sqrt(max(0.0, (between - within) / size))


class Model:
    def __init__(self, images, n):
        self.images, self.n = images, n
        found, hit, false, counts = [], [], [], []
        for i, (objects, seen) in enumerate(images):
            for c in set(objects):
                right = sum(1 for d in seen if d[2] and d[0] == c)
                found += [(i, c, 1)] * right + [(i, c, 0)] * (objects.count(c) - right)
            hit += [(i, c, logit(s)) for c, s, right in seen if right]
            false += [(i, c, logit(s)) for c, s, right in seen if not right]
        rate = by_class([(c, y) for _, c, y in found], n)
        self.a = [logit(min(max(r, 0.02), 0.98)) for r in rate]
        p = mean([y for _, _, y in found])
        self.A = beyond_chance([(i, y - rate[c]) for i, c, y in found]) / (p * (1 - p))
        self.h, self.f = (by_class([(c, v) for _, c, v in v_list], n, median) for v_list in (hit, false))
        self.H = beyond_chance([(i, v - self.h[c]) for i, c, v in hit])
        spread = variance([v - self.h[c] for _, c, v in hit])
        keep = math.sqrt(max(0.1, 1 - self.H ** 2 / spread))  # what images make is drawn by itself
        self.right = Shape([keep * (v - self.h[c]) for _, c, v in hit])
        self.false = Shape([v - self.f[c] for _, c, v in false])
        shown = [sum(1 for o, _ in images if c in o) for c in range(n)]
        self.m = [(sum(1 for _, k, _ in false if k == c) + 1) / (shown[c] + 2) for c in range(n)]
        expected = [sum(self.m[c] for c in set(o)) for o, _ in images]
        counts = [sum(1 for d in seen if not d[2]) for _, seen in images]
        spread = mean([((k - e) ** 2 - e) / max(e, 0.1) ** 2 for k, e in zip(counts, expected)])
        self.M = math.sqrt(math.log(1 + max(0.0, spread)))

    def draw(self, r):
        objects = r.choice(self.images)[0]
        u, seen = r.gauss(0, 1), []
        for c in objects:
            if r.random() < logistic(self.a[c] + self.A * u):
                seen.append((c, logistic(self.h[c] + self.H * u + self.right.draw(r)), True))
        shown = sorted(set(objects))
        rates = [self.m[c] for c in shown]
        rate = sum(rates) * math.exp(-self.M * u - self.M ** 2 / 2)
        count, limit, product = 0, math.exp(-min(rate, 30)), r.random()
        while product > limit and count < 30:
            count, product = count + 1, product * r.random()
        for _ in range(count):
            c = r.choices(shown, rates)[0]
            seen.append((c, logistic(self.f[c] + self.false.draw(r)), False))
        return objects, [(c, min(max(s, 0.001), 0.999), y) for c, s, y in seen]

    def __str__(self):
        return f'A {self.A:.2f} H {self.H:.2f} M {self.M:.2f}\na ' + '\nh '.join(
            [' '.join(f'{v:.2f}' for v in self.a), ' '.join(f'{v:.2f}' for v in self.h)]) + '\nf ' + ' '.join(
                f'{v:.2f}' for v in self.f) + '\nm ' + ' '.join(f'{v:.2f}' for v in self.m)


def main():
    (found, _), (truth, classes) = load(sys.argv[1]), load(sys.argv[2])
    images = pictures({k.rsplit('/', 1)[-1]: v for k, v in found.items()}, truth, classes)
    if len(sys.argv) > 3:
        model, r = Model(images, len(classes)), random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
        print(model, file=sys.stderr)
        images = [model.draw(r) for _ in range(int(sys.argv[3]))]
    for objects, seen in images:
        print(line(objects, seen))


main()
