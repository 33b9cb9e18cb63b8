"""Mixes two states of one segmenter, weight by weight: a short training from the file that ships moves along a line on which the
middle is better than either end (Wortsman et al. 2022, WiSE-FT).

usage: mix.py TRAINED.safetensors BEFORE.wsam SHARE OUT.safetensors      SHARE of the trained one, 0 to 1
"""
import sys

import common
import segmenter
import train_segmenter
import wsam


def main():
    trained, before, share, out = common.load_safetensors(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]
    model = segmenter.Segmenter()
    wsam.load(before, model)
    mixed = {name: old + share * (trained[name] - old) for name, old in model.state_dict().items()}
    common.save_safetensors(out, mixed, train_segmenter.checkpoint_notes(model.sizes))


if __name__ == '__main__':
    main()
