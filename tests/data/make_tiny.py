#!/usr/bin/env python3
"""Writes tiny.zip.pth, tiny.legacy.pth and tiny.safetensors: two tensors in the three containers, without PyTorch.

usage: make_tiny.py DIR

The pickles are those that torch.save writes (protocol 2, storages as persistent ids); classes are stand-ins that only carry
PyTorch's names.
"""
import collections, io, json, pickle, struct, sys, types, zipfile

torch, utils = types.ModuleType('torch'), types.ModuleType('torch._utils')


class FloatStorage:
    def __init__(self, key, values):
        self.key, self.values = key, values


def _rebuild_tensor_v2(*arguments):
    raise RuntimeError('never called')


FloatStorage.__module__, _rebuild_tensor_v2.__module__ = 'torch', 'torch._utils'
torch.FloatStorage, torch._utils, utils._rebuild_tensor_v2 = FloatStorage, utils, _rebuild_tensor_v2
sys.modules.update({'torch': torch, 'torch._utils': utils})


class Tensor:
    def __init__(self, storage, shape, strides):
        self.storage, self.shape, self.strides = storage, shape, strides

    def __reduce__(self):
        return _rebuild_tensor_v2, (self.storage, 0, self.shape, self.strides, False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def __init__(self, file, legacy):
        super().__init__(file, 2)
        self.legacy = legacy

    def persistent_id(self, thing):
        if isinstance(thing, FloatStorage):
            name = ('storage', FloatStorage, thing.key, 'cpu', len(thing.values))
            return name + (None,) if self.legacy else name


def dumps(thing, legacy=False):
    buffer = io.BytesIO()
    Pickler(buffer, legacy).dump(thing)
    return buffer.getvalue()


def floats(values):
    return struct.pack('<%df' % len(values), *values)


def main():
    folder = sys.argv[1]
    a, b = FloatStorage('0', [0.5 * i for i in range(6)]), FloatStorage('1', [1.0, -2.0, 3.0])
    state = collections.OrderedDict([('layer.weight', Tensor(a, (2, 3), (3, 1))), ('layer.bias', Tensor(b, (3,), (1,)))])

    with zipfile.ZipFile(folder + '/tiny.zip.pth', 'w', zipfile.ZIP_STORED) as z:
        for name, data in (('data.pkl', dumps(state)), ('data/0', floats(a.values)), ('data/1', floats(b.values)), ('version', b'3\n')):
            z.writestr(zipfile.ZipInfo('archive/' + name), data)

    with open(folder + '/tiny.legacy.pth', 'wb') as f:
        info = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'short': 2, 'int': 4, 'long': 4}}
        f.write(pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2) + pickle.dumps(info, 2))
        f.write(dumps(state, True) + pickle.dumps(['0', '1'], 2))
        for storage in (a, b):
            f.write(struct.pack('<q', len(storage.values)) + floats(storage.values))

    with open(folder + '/tiny.safetensors', 'wb') as f:
        head = json.dumps({'layer.weight': {'dtype': 'F32', 'shape': [2, 3], 'data_offsets': [0, 24]},
                           'layer.bias': {'dtype': 'F32', 'shape': [3], 'data_offsets': [24, 36]}}).encode()
        head += b' ' * (-len(head) % 8)
        f.write(struct.pack('<Q', len(head)) + head + floats(a.values) + floats(b.values))


main()
