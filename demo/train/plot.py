"""Draws training curves from log.jsonl as an SVG picture.

usage: plot.py LOG.jsonl OUT.svg NAME[,NAME...] ...    one panel per argument, one line per name
"""
import json
import sys

COLORS = ['#1b6ca8', '#c8553d', '#3a7d44', '#8f5d9e']
WIDTH, HEIGHT, LEFT, TOP = 420, 260, 52, 24


def read(path, name):
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    return [(r['step'], r[name]) for r in rows if name in r and r[name] == r[name]]


def panel(log, names, x0):
    lines = [(name, read(log, name)) for name in names]
    points = [p for _, line in lines for p in line]
    if not points:
        return ''
    last, low, high = max(p[0] for p in points), min(0, min(p[1] for p in points)), max(p[1] for p in points)
    high = max(high, low + 1e-6)
    at = lambda s, v: (x0 + LEFT + (WIDTH - LEFT - 16) * s / last, TOP + (HEIGHT - TOP - 34) * (1 - (v - low) / (high - low)))
    out = []
    for k in range(5):
        v = low + (high - low) * k / 4
        x, y = at(0, v)
        out.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{at(last, v)[0]:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                   f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{v:.2f}</text>')
        s = last * k / 4
        out.append(f'<text x="{at(s, low)[0]:.1f}" y="{HEIGHT - 16}" text-anchor="middle">{s:.0f}</text>')
    for i, (name, line) in enumerate(lines):
        path = ' '.join(f'{at(*p)[0]:.1f},{at(*p)[1]:.1f}' for p in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[i % 4]}" stroke-width="1.6"/>'
                   f'<text x="{x0 + LEFT + 8 + 105 * i}" y="{TOP - 8}" fill="{COLORS[i % 4]}">{name}</text>')
    return '\n'.join(out)


def main():
    log, out, panels = sys.argv[1], sys.argv[2], [a.split(',') for a in sys.argv[3:]]
    body = '\n'.join(panel(log, names, WIDTH * i) for i, names in enumerate(panels))
    with open(out, 'w') as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(panels)}" height="{HEIGHT}" '
                f'font-family="sans-serif" font-size="11" fill="#444"><rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')


if __name__ == '__main__':
    main()
