"""What the scripts of this folder share: timing by the rule of `weaksam bench`, and its rows (include/weaksam/bench.h).

Peers run on models of `weaksam export-onnx`. Nothing of the product depends on them."""
import datetime
import json
import math
import os
import platform
import resource
import sys
import time

import numpy as np


def lower_rank(n):
    """The largest rank r with 2 P(fewer than r of n fair coins) <= 5 %."""
    below = 0.0
    for r in range(1, n + 1):
        below += math.comb(n, r - 1) / 2.0**n
        if 2 * below > 0.05:
            return r - 1
    return 0


def interval_percent(values):
    """Width of the 95 % interval of the median, per cent of it; None below six values."""
    s, n = sorted(values), len(values)
    r = lower_rank(n)
    return 100 * (s[n - r] - s[r - 1]) / percentile(s, 50) if r else None


def percentile(s, percent):
    return s[max((percent * len(s) + 99) // 100, 1) - 1]


def measure(once, runs=0, interval=3.0, max_seconds=20.0):
    """Seconds of each call behind one that warms up: `runs` of them, or until the median is known."""
    once()
    seconds, start = [], time.perf_counter()
    while True:
        before = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - before)
        n, elapsed = len(seconds), time.perf_counter() - start
        if (n >= runs) if runs else elapsed > max_seconds or (n >= 6 and interval_percent(seconds) <= interval):
            return seconds


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return f"{line.split(':')[1].strip()}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"


def row(seconds, **fields):
    """A row of these timed calls; `batch` images in each."""
    s, n = sorted(seconds), len(seconds)
    out = {"device": cpu(), "processes": 1, "sessions": 1, "prompts": 0, "scenario": "SingleStream", "batch": 1,
           "timed_region": "encoder", "runs": n, "images_per_s": fields.get("batch", 1) * n / sum(s),
           "p50_ms": 1e3 * percentile(s, 50), "p90_ms": 1e3 * percentile(s, 90) if n >= 10 else None,
           "p99_ms": 1e3 * percentile(s, 99) if n >= 100 else None, "worst_ms": 1e3 * s[-1],
           "interval_percent": interval_percent(s),
           "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "kind": "measured",
           "date": datetime.date.today().isoformat(), "source": "bench/peers/" + " ".join([os.path.basename(sys.argv[0])] + [
               os.path.basename(a) for a in sys.argv[1:]])}
    return {**out, **fields}


def put(values):
    print(json.dumps({k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in values.items()}), flush=True)


def image(side):
    """The same smooth input for every peer, within the range of normalised pixels."""
    i = np.arange(side * side * 3, dtype=np.int64)
    x = ((i * 7 + (i // side) * 13) % 512).astype(np.float32) / 128 - 2
    return np.ascontiguousarray(x.reshape(1, side, side, 3).transpose(0, 3, 1, 2))


def clicks(prompts, points):
    """Single clicks, padded with points that are none."""
    i = np.arange(prompts * points)
    labels = np.where(i % points == 0, 1, -1).astype(np.int32).reshape(prompts, points)
    xy = np.stack([(i % 13) / 13.0, (i % 17) / 17.0], -1).astype(np.float32).reshape(prompts, points, 2)
    return {"points": xy, "labels": labels}


def decoder_inputs(shapes, prompts):
    """For the inputs of mask_decoder.onnx: {name: shape}."""
    embedding = np.sin(np.arange(np.prod(shapes["embedding"]), dtype=np.float32)).reshape(shapes["embedding"])
    points = shapes["points"][1]
    return {"embedding": embedding, **clicks(prompts, points if isinstance(points, int) and points > 0 else 2)}
