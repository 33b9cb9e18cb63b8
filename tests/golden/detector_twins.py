#!/usr/bin/env python3
"""One Mask R-CNN R50-FPN under the names of torchvision, detectron2 and mmdetection: where the libraries compute the same,
and where they do not.

usage: detector_twins.py WEAKSAM WORK

Writes the three checkpoints into the folder WORK (half a gigabyte), converts them and dumps what each computes on the way
of one drawn image, which no library resizes. Needs numpy. A minute of two cores; output is TAP."""
import json
import os
import re
import struct
import subprocess
import sys

import numpy as np

SIDE = 512


def load(path):
    with open(path, 'rb') as f:
        n = struct.unpack('<Q', f.read(8))[0]
        header, base, out = json.loads(f.read(n)), 8 + n, {}
        for name, t in header.items():
            if name != '__metadata__' and t['dtype'] == 'F32':
                f.seek(base + t['data_offsets'][0])
                data = f.read(t['data_offsets'][1] - t['data_offsets'][0])
                out[name] = np.frombuffer(data, np.float32).reshape(t['shape'])
    return out


def save(path, tensors):
    head, at = {}, 0
    for name, t in tensors.items():
        head[name] = {'dtype': 'F32', 'shape': list(t.shape), 'data_offsets': [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for t in tensors.values():
            f.write(np.ascontiguousarray(t).tobytes())


# Patterns of torchvision's names and what the others call them; {s} is a stage of detectron2.
DETECTRON2 = (
    (r'backbone\.body\.conv1\.', 'backbone.bottom_up.stem.conv1.'),
    (r'backbone\.body\.bn1\.', 'backbone.bottom_up.stem.conv1.norm.'),
    (r'backbone\.body\.layer(\d)\.(\d+)\.conv(\d)\.', r'backbone.bottom_up.res{\1+1}.\2.conv\3.'),
    (r'backbone\.body\.layer(\d)\.(\d+)\.bn(\d)\.', r'backbone.bottom_up.res{\1+1}.\2.conv\3.norm.'),
    (r'backbone\.body\.layer(\d)\.(\d+)\.downsample\.0\.', r'backbone.bottom_up.res{\1+1}.\2.shortcut.'),
    (r'backbone\.body\.layer(\d)\.(\d+)\.downsample\.1\.', r'backbone.bottom_up.res{\1+1}.\2.shortcut.norm.'),
    (r'backbone\.fpn\.inner_blocks\.(\d)\.0\.', r'backbone.fpn_lateral{\1+2}.'),
    (r'backbone\.fpn\.layer_blocks\.(\d)\.0\.', r'backbone.fpn_output{\1+2}.'),
    (r'rpn\.head\.conv\.0\.0\.', 'proposal_generator.rpn_head.conv.'),
    (r'rpn\.head\.cls_logits\.', 'proposal_generator.rpn_head.objectness_logits.'),
    (r'rpn\.head\.bbox_pred\.', 'proposal_generator.rpn_head.anchor_deltas.'),
    (r'roi_heads\.box_head\.fc6\.', 'roi_heads.box_head.fc1.'),
    (r'roi_heads\.box_head\.fc7\.', 'roi_heads.box_head.fc2.'),
    (r'roi_heads\.mask_head\.(\d)\.0\.', r'roi_heads.mask_head.mask_fcn{\1+1}.'),
    (r'roi_heads\.mask_predictor\.conv5_mask\.', 'roi_heads.mask_head.deconv.'),
    (r'roi_heads\.mask_predictor\.mask_fcn_logits\.', 'roi_heads.mask_head.predictor.'))
MMDETECTION = (
    (r'backbone\.body\.', 'backbone.'),
    (r'backbone\.fpn\.inner_blocks\.(\d)\.0\.', r'neck.lateral_convs.\1.conv.'),
    (r'backbone\.fpn\.layer_blocks\.(\d)\.0\.', r'neck.fpn_convs.\1.conv.'),
    (r'rpn\.head\.conv\.0\.0\.', 'rpn_head.rpn_conv.'),
    (r'rpn\.head\.cls_logits\.', 'rpn_head.rpn_cls.'),
    (r'rpn\.head\.bbox_pred\.', 'rpn_head.rpn_reg.'),
    (r'roi_heads\.box_head\.fc6\.', 'roi_head.bbox_head.shared_fcs.0.'),
    (r'roi_heads\.box_head\.fc7\.', 'roi_head.bbox_head.shared_fcs.1.'),
    (r'roi_heads\.box_predictor\.cls_score\.', 'roi_head.bbox_head.fc_cls.'),
    (r'roi_heads\.box_predictor\.bbox_pred\.', 'roi_head.bbox_head.fc_reg.'),
    (r'roi_heads\.mask_head\.(\d)\.0\.', r'roi_head.mask_head.convs.\1.conv.'),
    (r'roi_heads\.mask_predictor\.conv5_mask\.', 'roi_head.mask_head.upsample.'),
    (r'roi_heads\.mask_predictor\.mask_fcn_logits\.', 'roi_head.mask_head.conv_logits.'))


def rename(tensors, table):
    """The background comes last, and has neither deltas nor masks."""
    out = {}
    for name, t in tensors.items():
        new = name
        for pattern, to in table:
            new = re.sub('^' + pattern, to, new)
            new = re.sub(r'\{(\d)\+(\d)\}', lambda m: str(int(m[1]) + int(m[2])), new)
            if new != name and not new.startswith(('backbone.fpn.', 'backbone.body.')):
                break
        if 'cls_score' in name:
            t = np.concatenate((t[1:], t[:1]))
        elif 'roi_heads.box_predictor.bbox_pred' in name:
            t = t[4:]
        elif 'mask_fcn_logits' in name:
            t = t[1:]
        out[new] = t
    return out


failures = 0


def verdict(good, text):
    global failures
    failures += not good
    print(('ok - ' if good else 'not ok - ') + text, flush=True)


def relative(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))


def found(a, b):
    """The share of boxes of `a` that `b` has at IoU 0.99."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), -1)
    area = lambda x: np.prod(x[:, 2:] - x[:, :2], -1)
    return float((both / (area(a)[:, None] + area(b)[None] - both) >= 0.99).any(1).mean())


def main():
    weaksam, work = sys.argv[1:3]
    os.makedirs(work, exist_ok=True)
    call = lambda *args: subprocess.run([weaksam, *args], check=True)
    paths = {name: '%s/%s.safetensors' % (work, name) for name in ('torchvision', 'detectron2', 'mmdetection')}
    call('twin', 'mask_rcnn_r50_fpn', '-o', paths['torchvision'])
    tensors = load(paths['torchvision'])
    save(paths['detectron2'], rename(tensors, DETECTRON2))
    save(paths['mmdetection'], rename(tensors, MMDETECTION))
    image, rois = work + '/image.png', work + '/rois.safetensors'
    call('draw', '-o', image, '--size', '%d,%d' % (SIDE, SIDE))
    draw = np.random.default_rng(5)
    corners = draw.uniform(0, SIDE - 120, (32, 2))
    save(rois, {'rois': np.concatenate((corners, corners + draw.uniform(20, 118, (32, 2))), 1).astype(np.float32)})
    dumps = {}
    for name, style in (('torchvision', 'pytorch'), ('detectron2', 'pytorch'), ('mmdetection', 'pytorch'), ('detectron2', 'caffe')):
        model, dump = work + '/model.wsam', work + '/dump.safetensors'
        style_options = [] if name == 'torchvision' else ['--backbone-style', style]
        call('convert', paths[name], '-o', model, '--quiet', '--sides', '%d,%d' % (SIDE, SIDE), *style_options)
        call('detect', '-m', model, image, '--dump', dump, '--rois', rois, '--quiet')
        dumps[name if style == 'pytorch' else 'caffe'] = load(dump)
    tv, d2, mm, caffe = (dumps[k] for k in ('torchvision', 'detectron2', 'mmdetection', 'caffe'))
    maps = ['fpn_0', 'fpn_1', 'fpn_2', 'fpn_3', 'fpn_pool'] + ['rpn_%s_%d' % (k, i) for k in ('objectness', 'deltas') for i in range(5)]
    for name, other in (('detectron2', d2), ('mmdetection', mm)):
        worst = max(relative(other[m], tv[m]) for m in maps)
        verdict(worst < 1e-5, '%s: the maps are those of torchvision: %.1e' % (name, worst))
    for name in ('class_logits', 'box_regression', 'mask_logits'):
        verdict(relative(mm[name], d2[name]) < 1e-5, '%s of detectron2 and mmdetection: %.1e' % (name, relative(mm[name], d2[name])))
    share = min(found(mm['proposals'], d2['proposals']), found(d2['proposals'], mm['proposals']))
    verdict(share >= 0.99, 'proposals of detectron2 and mmdetection: %.3f are the same' % share)
    logits = np.concatenate((tv['class_logits'][:, 1:], tv['class_logits'][:, :1]), 1)
    apart = relative(logits, d2['class_logits'])
    verdict(1e-3 < apart < 0.5, 'torchvision samples boxes in its own way: class logits differ by %.1e' % apart)
    share = found(tv['proposals'], d2['proposals'])
    verdict(share < 0.99, 'torchvision rounds anchors: %.3f of its proposals are detectron2\'s' % share)
    apart = relative(caffe['fpn_0'], d2['fpn_0'])
    verdict(apart > 1e-2, 'the style of Caffe is another network: fpn_0 differs by %.1e' % apart)
    for name in list(paths.values()) + [work + '/model.wsam', work + '/dump.safetensors']:
        os.unlink(name)
    sys.exit(failures != 0)


if __name__ == '__main__':
    main()
