"""Scenes of the picture maker (libscenes.so) as arrays, drawn by threads beside the training."""
import ctypes
import queue
import threading

import numpy as np

KINDS = 17
PARTS = 10
MOST = 24
NAMES = ['screw', 'nut', 'washer', 'gear', 'bracket', 'spring', 'bearing', 'key', 'wrench', 'plate']
INSPECTED = 2  # demo_set of shape.h: one part, sound or with defects
HELD_OUT = (6, 8)  # bearing and wrench: never seen by the segmenter's training


class Options(ctypes.Structure):
    """demo_options of scene.h"""
    _fields_ = [('width', ctypes.c_int), ('height', ctypes.c_int), ('without', ctypes.c_uint),
                ('generic', ctypes.c_float), ('distractors', ctypes.c_float), ('most', ctypes.c_int),
                ('least_size', ctypes.c_float), ('largest_size', ctypes.c_float), ('classes', ctypes.c_int),
                ('set', ctypes.c_int), ('defects', ctypes.c_float), ('photographic', ctypes.c_float)]


class Maker:
    def __init__(self, library):
        self.library = ctypes.CDLL(library)

    def view(self, seed, side, **options):
        """rgb [side, side, 3], ids [side, side], (width, height) of the content, kinds [n]"""
        rgb, ids = np.empty((side, side, 3), np.uint8), np.empty((side, side), np.uint8)
        content, kinds = (ctypes.c_int * 2)(), (ctypes.c_int * MOST)()
        n = self.library.demo_view(ctypes.c_uint64(seed), ctypes.byref(Options(**options)), side,
                                   rgb.ctypes.data_as(ctypes.c_void_p), ids.ctypes.data_as(ctypes.c_void_p), content,
                                   kinds)
        if n < 0:
            raise MemoryError('the picture maker')
        return rgb, ids, (content[0], content[1]), list(kinds[:n])


def stream(draw, first, depth=32):
    """draw(first), draw(first + 1), ... made ahead by a thread, in order."""
    ready = queue.Queue(depth)

    def work():
        seed = first
        while True:
            ready.put(draw(seed))
            seed += 1

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()
