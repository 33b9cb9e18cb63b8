#!/usr/bin/env python3
"""Train torchvision's Mask R-CNN or Faster R-CNN on a COCO data set, such as weaksam run exports.

usage: train_detector.py --annotations out/masks.json --images photos -o detector.pth [OPTION...]

Needs PyTorch, torchvision and Pillow. The checkpoint has the class names beside its weights:

    weaksam convert detector.pth --sides 800,1333 -o detector.wsam
    weaksam detect -m detector.wsam photos -o found.json

--backbone resnet50 with --pretrained begins with the weights of ImageNet that torchvision downloads;
--backbone small is a ResNet-18 of one block a stage with a narrow pyramid, for trying things out on a
CPU. Sides of images and batch are options; results depend on --seed, not on the number of threads.
"""
import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
import torchvision
from PIL import Image, ImageDraw
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.resnet import BasicBlock, ResNet


def counts_of(text):
    """COCO's compressed run lengths (pycocotools rleFrString)."""
    counts, at = [], 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            c = ord(text[at]) - 48
            value |= (c & 31) << 5 * shift
            more = bool(c & 32)
            at, shift = at + 1, shift + 1
            if not more and c & 16:
                value |= -1 << 5 * shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def mask_of(segmentation, height, width):
    """A mask [height][width] of run lengths or polygons."""
    if isinstance(segmentation, list):
        image = Image.new('1', (width, height))
        for polygon in segmentation:
            ImageDraw.Draw(image).polygon(polygon, fill=1)
        return np.array(image, dtype=bool)
    counts = segmentation['counts']
    counts = counts_of(counts) if isinstance(counts, str) else counts
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


class Pictures:
    """Images and targets as torchvision wants them; labels from 1, in the order of the categories."""

    def __init__(self, annotations, images, masks):
        document = json.load(open(annotations))
        self.folder, self.masks = images, masks
        self.names = [c['name'] for c in document['categories']]
        self.label = {c['id']: i + 1 for i, c in enumerate(document['categories'])}
        self.of = {}
        for a in document['annotations']:
            if not a.get('iscrowd') and a['bbox'][2] > 1 and a['bbox'][3] > 1:
                self.of.setdefault(a['image_id'], []).append(a)
        self.images = [i for i in document['images'] if i['id'] in self.of]

    def read(self, index):
        entry = self.images[index]
        image = Image.open(os.path.join(self.folder, entry['file_name'])).convert('RGB')
        found = self.of[entry['id']]
        boxes = [[a['bbox'][0], a['bbox'][1], a['bbox'][0] + a['bbox'][2], a['bbox'][1] + a['bbox'][3]]
                 for a in found]
        target = {'boxes': torch.tensor(boxes, dtype=torch.float32),
                  'labels': torch.tensor([self.label[a['category_id']] for a in found])}
        if self.masks:
            masks = [mask_of(a['segmentation'], image.height, image.width) for a in found]
            target['masks'] = torch.from_numpy(np.stack(masks).astype(np.uint8))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        if random.random() < 0.5:
            pixels = pixels.flip(2)
            target['boxes'][:, [0, 2]] = image.width - target['boxes'][:, [2, 0]]
            if self.masks:
                target['masks'] = target['masks'].flip(2)
        return pixels, target


def small_backbone(width):
    """One block a stage; norms learn, as there are no weights to begin with."""
    body = ResNet(BasicBlock, [1, 1, 1, 1])
    layers = {'layer%d' % i: str(i - 1) for i in (1, 2, 3, 4)}
    return BackboneWithFPN(body, layers, [64, 128, 256, 512], width)


def make_model(args, slots):
    sides = {'min_size': args.sides[0], 'max_size': args.sides[1]}
    if args.backbone == 'resnet50':
        make = torchvision.models.detection
        make = make.fasterrcnn_resnet50_fpn if args.boxes else make.maskrcnn_resnet50_fpn
        return make(weights=None, weights_backbone='DEFAULT' if args.pretrained else None, num_classes=slots, **sides)
    width = 64
    head = {'box_head': TwoMLPHead(width * 49, 256),
            'box_predictor': torchvision.models.detection.faster_rcnn.FastRCNNPredictor(256, slots)}
    if args.boxes:
        return FasterRCNN(small_backbone(width), **head, **sides)
    return MaskRCNN(small_backbone(width), **head, **sides, mask_head=MaskRCNNHeads(width, (width, width), 1),
                    mask_predictor=MaskRCNNPredictor(width, width, slots))


def save(model, names, path):
    torch.save({'state_dict': model.state_dict(), 'meta': {'CLASSES': tuple(names)}}, path + '.part')
    os.replace(path + '.part', path)


def train(args):
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    data = Pictures(args.annotations, args.images, not args.boxes)
    model = make_model(args, len(data.names) + 1).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=args.rate, momentum=0.9, weight_decay=1e-4)
    warm = max(args.steps // 10, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / args.steps)))
    order, start = [], time.time()
    for step in range(args.steps):
        if len(order) < args.batch:
            order += random.sample(range(len(data.images)), len(data.images))
        images, targets = zip(*(data.read(order.pop()) for _ in range(args.batch)))
        losses = model(list(images), list(targets))
        loss = sum(losses.values())
        if not torch.isfinite(loss):
            raise SystemExit('the loss is not a number; try a smaller --rate')
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 19 or step + 1 == args.steps:
            parts = ' '.join('%s %.3f' % (k.replace('loss_', ''), v.item()) for k, v in losses.items())
            print('step %d of %d, %.0f s: %.3f (%s)' % (step + 1, args.steps, time.time() - start, loss.item(), parts),
                  flush=True)
            save(model, data.names, args.output)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--annotations', required=True, help='COCO data set')
    parser.add_argument('--images', required=True, help='folder of its images')
    parser.add_argument('-o', '--output', required=True, help='checkpoint')
    parser.add_argument('--backbone', choices=('resnet50', 'small'), default='resnet50')
    parser.add_argument('--pretrained', action='store_true', help="begin with torchvision's backbone of ImageNet")
    parser.add_argument('--boxes', action='store_true', help='Faster R-CNN: no masks')
    parser.add_argument('--sides', type=int, nargs=2, default=(800, 1333), metavar=('SHORT', 'LONG'))
    parser.add_argument('--steps', type=int, default=5000)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--rate', type=float, default=0.01)
    parser.add_argument('--seed', type=int, default=1)
    train(parser.parse_args())


if __name__ == '__main__':
    main()
