"""Opens what `weaksam export` writes with the readers of the tools that it is written for, and compares images, classes and masks with the
data set that went out. A reader that is not installed is named and skipped; `make check-readers` installs all of them.

usage: exchange_readers.py WEAKSAM SET, where SET holds instances.json (COCO, run lengths) and images/
"""
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

LEAST = {'coco': 1.0, 'labelme': 1.0, 'label-studio': 1.0, 'cvat': 1.0, 'voc': 1.0, 'yolo': 0.995}


class Missing(Exception):
    pass


def need(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise Missing(package) from None


def truth(path):
    """{image's name without its ending: [(class, mask)]}, read by pycocotools."""
    from pycocotools.coco import COCO
    coco = COCO(path)
    names = {c['id']: c['name'] for c in coco.loadCats(coco.getCatIds())}
    return {stem(image['file_name']): [(names[a['category_id']], coco.annToMask(a) > 0) for a in coco.loadAnns(coco.getAnnIds([key]))]
            for key, image in coco.imgs.items()}


def stem(name):
    return os.path.splitext(os.path.basename(name))[0]


def read_coco(folder, _):
    return truth(os.path.join(folder, 'annotations.json'))


def read_labelme(folder, images):
    need('labelme')
    from labelme._label_file import LabelFile
    shutil.copytree(images, folder, dirs_exist_ok=True)
    found = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith('.json') or name == 'weaksam.json':
            continue
        file = LabelFile(os.path.join(folder, name))
        height, width = size_of(file)
        objects = found[stem(name)] = []
        for shape in file.shapes:
            objects.append((shape['label'], labelme_mask(shape, height, width)))
    return found


def labelme_mask(shape, height, width):
    points = np.array(shape['points'])
    if shape['shape_type'] == 'polygon':
        return filled(points.reshape(-1), (height, width))
    mask = np.zeros((height, width), bool)
    (left, top), (right, bottom) = points.astype(int)
    mask[top:bottom + 1, left:right + 1] = shape['mask']
    return mask


def size_of(file):
    import PIL.Image
    width, height = PIL.Image.open(io.BytesIO(file.imageData)).size
    return height, width


def read_label_studio(folder, _):
    need('label-studio-sdk')
    from label_studio_sdk.converter.brush import decode_rle
    found = {}
    with open(os.path.join(folder, 'tasks.json')) as f:
        tasks = json.load(f)
    for task in tasks:
        objects = found[stem(task['data']['image'])] = []
        for part in task.get('annotations', []) + task.get('predictions', []):
            for r in part['result']:
                if r['type'] == 'brushlabels':
                    alpha = decode_rle(r['value']['rle']).reshape(r['original_height'], r['original_width'], 4)[:, :, 3]
                    objects.append((r['value']['brushlabels'][0], alpha > 0))
    return found


def by_datumaro(folder, format):
    """Class and mask of every object, as datumaro reads them."""
    need('datumaro')
    import datumaro
    data = datumaro.Dataset.import_from(folder, format)
    names = [label.name for label in data.categories()[datumaro.AnnotationType.label]]
    found = {}
    for item in data:
        objects = found[stem(item.id)] = []
        for a in item.annotations:
            if a.type == datumaro.AnnotationType.mask:
                objects.append((names[a.label], np.asarray(a.image) > 0))
            elif a.type == datumaro.AnnotationType.polygon:
                objects.append((names[a.label], filled(a.points, item.media.size)))
    return found


def filled(points, size):
    from pycocotools import mask
    return mask.decode(mask.frPyObjects([list(points)], size[0], size[1]))[:, :, 0] > 0


def read_cvat(folder, images):
    shutil.copytree(images, os.path.join(folder, 'images'))
    return by_datumaro(folder, 'cvat')


def read_voc(folder, images):
    shutil.copytree(images, os.path.join(folder, 'JPEGImages'))
    return by_datumaro(folder, 'voc_instance_segmentation')


def read_yolo(folder, images):
    """As its trainer checks and reads a label file. Polygons are filled by COCO's rule: the trainer itself fills every pixel that an
    outline touches, half a pixel more all around."""
    need('ultralytics')
    import yaml
    from ultralytics.data.utils import verify_image_label
    shutil.copytree(images, os.path.join(folder, 'images'))
    with open(os.path.join(folder, 'data.yaml')) as f:
        names = yaml.safe_load(f)['names']
    found = {}
    for name in sorted(os.listdir(images)):
        image, label = os.path.join(folder, 'images', name), os.path.join(folder, 'labels', stem(name) + '.txt')
        checked = verify_image_label((image, label, '', False, len(names), 0, 0, False))
        if checked[0] is None:
            raise ValueError(checked[-1])
        _, rows, (height, width), segments = checked[:4]
        objects = found[stem(name)] = []
        for row, polygon in zip(rows, segments):
            points = (polygon * [width, height]).reshape(-1)
            objects.append((names[int(row[0])], filled(points, (height, width))))
    return found


READERS = [('coco', read_coco, 'pycocotools'), ('yolo', read_yolo, 'ultralytics'), ('voc', read_voc, 'datumaro'),
           ('labelme', read_labelme, 'labelme'), ('label-studio', read_label_studio, 'label-studio-sdk'), ('cvat', read_cvat, 'datumaro')]


def without_overlap(objects):
    """What an index image can hold: where two objects meet, neither is compared."""
    if not objects:
        return None
    return np.sum([m for _, m in objects], 0) > 1


def compare(wanted, found, format):
    """The least IoU of an object with the best one of its class, and what is missing."""
    if set(wanted) != set(found):
        raise ValueError(f'images {sorted(found)}, expected {sorted(wanted)}')
    least = 1.0
    for name, objects in wanted.items():
        if len(found[name]) != len(objects):
            raise ValueError(f'{name}: {len(found[name])} objects, expected {len(objects)}')
        shared = without_overlap(objects) if format == 'voc' else None
        for kind, mask in objects:
            ious = [iou(mask, m, shared) for k, m in found[name] if k == kind]
            least = min(least, max(ious, default=0.0))
    return least


def iou(a, b, ignored):
    if ignored is not None:
        a, b = a & ~ignored, b & ~ignored
    union = (a | b).sum()
    return (a & b).sum() / union if union else 1.0


def main():
    weaksam, source = sys.argv[1:]
    wanted = truth(os.path.join(source, 'instances.json'))
    passed = failed = skipped = 0
    for format, read, package in READERS:
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, format)
            subprocess.run([weaksam, 'export', os.path.join(source, 'instances.json'), '--format', format, '-o', out, '--quiet'], check=True)
            try:
                version = need(package)
                least = compare(wanted, read(out, os.path.join(source, 'images')), format)
            except Missing as e:
                skipped += 1
                print(f'skipped - {format}: {e} is not installed')
                continue
            except Exception as e:
                failed += 1
                print(f'not ok - {format}: {package} {version}: {type(e).__name__}: {e}')
                continue
        good = least >= LEAST[format]
        passed, failed = passed + good, failed + (not good)
        print(f'{"ok" if good else "not ok"} - {format}: {package} {version} reads {sum(map(len, wanted.values()))} objects of '
              f'{len(wanted)} images, least IoU {least:.4f}')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
