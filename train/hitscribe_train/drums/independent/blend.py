"""Mixes the weights of two exported networks, one of which was trained on from the other.

    python -m hitscribe_train.drums.independent.blend FIRST.safetensors SECOND.safetensors SHARE OUT.safetensors --picking PICKING.json

SHARE, 0 to 1, is that of the second.
"""

import argparse
import json

import torch

from .export import write
from .weights_file import from_weights_file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("share", type=float)
    parser.add_argument("out")
    parser.add_argument("--picking", required=True, help="JSON file with thresholds by class")
    options = parser.parse_args()
    first, second = (from_weights_file(path)[0].eval() for path in (options.first, options.second))
    with torch.no_grad():
        for a, b in zip(first.state_dict().values(), second.state_dict().values()):
            if a.dtype.is_floating_point:
                a.lerp_(b, options.share)
    write(first, options.out, json.load(open(options.picking)))


if __name__ == "__main__":
    main()
