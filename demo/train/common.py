"""What both trainings share: schedule, moving average, checkpoints, curves."""
import copy
import json
import os
import struct
import time

import numpy as np
import torch


def save_safetensors(path, tensors, notes):
    """A .safetensors file of f32 arrays with string notes in its header; counters are left out."""
    header, at = {'__metadata__': {k: str(v) for k, v in notes.items()}}, 0
    arrays = {name: np.ascontiguousarray(t.detach().float().numpy()) for name, t in sorted(tensors.items())
              if t.is_floating_point()}
    for name, a in arrays.items():
        header[name] = {'dtype': 'F32', 'shape': list(a.shape), 'data_offsets': [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path + '.part', 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for a in arrays.values():
            f.write(a.tobytes())
    os.replace(path + '.part', path)


def load_safetensors(path, prefix=''):
    """The f32 tensors whose names begin with the prefix, without it."""
    with open(path, 'rb') as f:
        length, = struct.unpack('<Q', f.read(8))
        header, data = json.loads(f.read(length)), f.read()
    out = {}
    for name, t in header.items():
        if name != '__metadata__' and name.startswith(prefix):
            a = np.frombuffer(data[t['data_offsets'][0]:t['data_offsets'][1]], np.float32).reshape(t['shape'])
            out[name[len(prefix):]] = torch.from_numpy(a.copy())
    return out


class Schedule:
    """Warm-up, a constant rate, then a linear descent over the last `decay` of `steps` steps. A file named `decay` in the
    output folder starts the descent early; the log tells where, so that the run can be repeated."""

    def __init__(self, rate, steps, warmup, decay, folder):
        self.rate, self.steps, self.warmup, self.decay, self.folder = rate, steps, warmup, decay, folder

    def at(self, step):
        asked = os.path.join(self.folder, 'decay')
        if step % 20 == 0 and os.path.exists(asked):
            with open(asked) as f:
                wanted = int(f.read().strip() or self.decay)
            if step + wanted < self.steps:  # a descent that has begun may become a shorter one, which begins at its rate
                down = min(1.0, (self.steps - step) / self.decay)
                self.rate, self.decay, self.steps = self.rate * down, wanted, step + wanted
                print(f'descent from step {step}, {self.decay} steps', flush=True)
            os.remove(asked)
        down = min(1.0, max(0.0, (self.steps - step) / self.decay))
        return self.rate * min(1.0, (step + 1) / self.warmup) * max(down, 0.01)


class Average:
    """An exponential moving average of a model's parameters, for evaluation and shipping."""

    def __init__(self, model, keep=0.998):
        self.model, self.keep = copy.deepcopy(model), keep
        for p in self.model.parameters():
            p.requires_grad_(False)

    def update(self, model, step):
        keep = min(self.keep, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(self.model.parameters(), model.parameters()):
                a.lerp_(b, 1 - keep)


class Log:
    """One JSON line per interval, kept over restarts."""

    def __init__(self, folder):
        self.path, self.start = os.path.join(folder, 'log.jsonl'), time.time()

    def add(self, **values):
        values['seconds'] = round(time.time() - self.start)
        values = {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
        with open(self.path, 'a') as f:
            f.write(json.dumps(values) + '\n')
        print(' '.join(f'{k} {v}' for k, v in values.items()), flush=True)


def save_state(path, **parts):
    torch.save({k: v.state_dict() if hasattr(v, 'state_dict') else v for k, v in parts.items()}, path + '.part')
    os.replace(path + '.part', path)
