"""What the engine loads, of a checkpoint of `train.py`: python -m hitscribe_train.mt3.export CHECKPOINT OUT.pth

The running mean without the frames' head, matrices in 16-bit floats: for `hitscribe transcribe --model` and
`hitscribe models add`."""

import argparse
from dataclasses import replace

import torch

from .checkpoint import config_of_json, fill, write
from .model import FIRST_MEMORY, Mt3
from .train import SMALL


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--config", default=SMALL, help="sizes, as a T5 configuration")
    parser.add_argument("--memory", type=int, default=0, metavar="ROWS", help="rows of MR-MT3's memory")
    parser.add_argument("--memory-variant", choices=FIRST_MEMORY, default="v2-with-prev")
    options = parser.parse_args()
    saved = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    values = {key.removeprefix("mt3."): value.float() for key, value in saved["model"].items() if key.startswith("mt3.")}
    config = config_of_json(options.config)
    net = Mt3(replace(config, memory_rows=options.memory, memory_variant=options.memory_variant))
    report = fill(net, values)
    if report.missing or report.misshapen or report.unused:
        raise SystemExit(f"{options.checkpoint}: {report}")
    write(net, options.out, half=True)


if __name__ == "__main__":
    main()
