"""Reads a weight file (weights/FORMAT.md) of a segmenter or clue network back into a state dict, so that a training can go on from the file that ships:
s8 values times their scales, bf16 widened. What the int8 conversion moved from a norm into the product behind it stays there; the
function is the same."""
import struct

import numpy as np
import torch
import torch.nn.functional as F

TYPES = {0: np.dtype('<f4'), 1: np.dtype('<u2'), 2: np.dtype('i1')}  # f32, bf16, s8
TENSORS, DATA = 2, 4  # kinds of sections
NO_SCALES = 0
ROWS = {'prompt_encoder.labels': ['prompt_encoder.not_a_point_embed.weight'] + [f'prompt_encoder.point_embeddings.{i}.weight' for i in range(4)],
        'mask_decoder.output_tokens': ['mask_decoder.iou_token.weight', 'mask_decoder.mask_tokens.weight']}


def tensors(path):
    """{name: f32 array in the file's layout}"""
    with open(path, 'rb') as f:
        data = f.read()
    if data[:8] != b'\x89WSAM\r\n\x1a':
        raise ValueError(f'{path}: no weight file')
    sections = {}
    for k in range(struct.unpack_from('<I', data, 12)[0]):
        kind, _, start, size, _ = struct.unpack_from('<IIQQQ', data, 64 + 32 * k)
        sections[kind] = (start, size)
    at, base, out = sections[TENSORS][0], sections[DATA][0], {}
    count, = struct.unpack_from('<I', data, at)
    at += 4
    for _ in range(count):
        length, = struct.unpack_from('<H', data, at)
        name = data[at + 2:at + 2 + length].decode()
        at += 2 + length
        type_, rank = struct.unpack_from('<BB', data, at)
        dims = struct.unpack_from(f'<{rank}I', data, at + 2)
        at += 2 + 4 * rank
        start, size, scale_start, scale_size, _ = struct.unpack_from('<QQQQQ', data, at)
        at += 40
        values = np.frombuffer(data, TYPES[type_], size // TYPES[type_].itemsize, base + start).reshape(dims)
        if type_ == 1:
            values = (values.astype(np.uint32) << 16).view(np.float32)
        if scale_size != NO_SCALES:
            scales = np.frombuffer(data, '<f4', scale_size // 4, base + scale_start)
            values = values.astype(np.float32) * scales.reshape((-1,) + (1,) * (rank - 1))
        out[name] = values.astype(np.float32)
    return out


def in_layout(values, shape):
    """Convolutions [O,h,w,I] and transposed ones [h,w,O,I] in PyTorch's layouts; everything else keeps its order."""
    if values.ndim == 4 and tuple(values.shape) != tuple(shape):
        for axes in ((0, 3, 1, 2), (3, 2, 0, 1)):
            if tuple(values.shape[a] for a in axes) == tuple(shape):
                return values.transpose(axes)
    return values.reshape(shape)


def resampled(values, shape):
    """Position tables of another input size, linear, as weaksam convert --image-size does it; values in the file's layout."""
    t = torch.from_numpy(values)
    if t.dim() == 3 and len(shape) == 4:  # [g, g, width] to [1, G, G, width]
        t = F.interpolate(t.permute(2, 0, 1)[None], tuple(shape[1:3]), mode='bilinear', align_corners=False).permute(0, 2, 3, 1)
    else:  # [2 g - 1, head] to [2 G - 1, head]
        t = F.interpolate(t.T[None], shape[0], mode='linear', align_corners=False)[0].T
    return t.numpy()


def load(path, model):
    """The file's weights into a Segmenter of its widths and any input size; an error where a tensor is missing or left over."""
    found, wanted = tensors(path), model.state_dict()
    for name, parts in ROWS.items():
        table, row = found.pop(name), 0
        for part in parts:
            rows = wanted[part].shape[0]
            found[part] = table[row:row + rows]
            row += rows
    if set(found) != set(wanted):
        raise ValueError(f'{path}: not these sizes: {sorted(set(found) ^ set(wanted))[:4]}')
    for name in found:
        if ('rel_pos' in name or 'pos_embed' in name) and found[name].size != wanted[name].numel():
            found[name] = resampled(found[name], wanted[name].shape)
    model.load_state_dict({n: torch.from_numpy(np.ascontiguousarray(in_layout(v, wanted[n].shape))) for n, v in found.items()})


def load_clues(path, network):
    """The file's weights into a ClueNetwork of its sizes. Its norms are folded into the convolutions: what stays of them is their shift."""
    found, wanted = tensors(path), network.state_dict()
    found = {n: v for n, v in found.items() if n != 'mean'}
    classes = network.sizes['classes']
    table = found.pop('pos_embed').reshape(1, -1, network.sizes['width'])
    found['pos_embed'] = np.concatenate([np.zeros((1, classes, table.shape[2]), np.float32), table], 1)  # theirs is in cls_token
    for name in [n for n in found if n.endswith('.c.bias')]:
        shift, norm = found.pop(name), name[:-len('c.bias')] + 'bn.'
        found[norm + 'bias'], found[norm + 'weight'] = shift, np.full_like(shift, (1 + 1e-5) ** 0.5)
        found[name[:-4] + 'weight'] = found[name[:-4] + 'weight'].transpose(0, 3, 1, 2)  # the first one's layout cannot be told from its shape
        found[norm + 'running_mean'], found[norm + 'running_var'] = np.zeros_like(shift), np.ones_like(shift)
    kept = {n: v.numpy() for n, v in wanted.items() if n.endswith('num_batches_tracked') or n.startswith('norm.')}
    if set(found) | set(kept) != set(wanted):
        raise ValueError(f'{path}: not these sizes: {sorted(set(found) ^ set(wanted))[:4]}')
    state = {n: torch.from_numpy(np.ascontiguousarray(in_layout(v, wanted[n].shape))) for n, v in found.items()}
    network.load_state_dict(state | {n: wanted[n] for n in kept})
