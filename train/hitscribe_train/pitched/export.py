"""Writes a trained pitched network as the weights file that the engine embeds.

    python -m hitscribe_train.pitched.export CHECKPOINT OUT.safetensors [--picking PICKING.json]

Weights are stored as the matrices that the engine multiplies with, in 16-bit floats:

    stem.weight            [3 time taps, harmonics * window * transforms, CHANNELS]   stem.bias
    context.weight         [CHANNELS, CHANNELS]                                       context.bias
    block.N.spread.weight  [3 time taps, 3 key taps * CHANNELS, CHANNELS]             block.N.spread.bias
    block.N.mix.weight     [CHANNELS, CHANNELS]                                       block.N.mix.bias
    head.weight            [CHANNELS, 4]: onset, sounding, velocity, shift            head.bias

The metadata key "config" holds everything else as JSON. PICKING.json overrides the thresholds:
{"onset_threshold": 0.4, "sounding_threshold": 0.4}.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from ..common.front_end import front_end_config
from . import model as m

FORMAT = 1
PICKING = {"onset_threshold": 0.55, "sounding_threshold": 0.4}


@torch.no_grad()
def tensors(net):
    """Name -> tensor."""
    out = {}

    def store(name, layer, weight):
        out[f"{name}.weight"], out[f"{name}.bias"] = weight.contiguous(), layer.bias

    def store_taps(name, conv):
        store(name, conv, conv.weight.squeeze(2).permute(2, 1, 0))

    def store_matrix(name, conv):
        store(name, conv, conv.weight.flatten(1).T)

    store_taps("stem", net.stem)
    store_matrix("context", net.context)
    for index, block in enumerate(net.blocks):
        store_taps(f"block.{index}.spread", block.spread)
        store_matrix(f"block.{index}.mix", block.mix)
    store_matrix("head", net.head)
    return out


def config(picking):
    """Everything the engine needs beside the tensors."""
    unknown = set(picking) - set(PICKING)
    if unknown:
        raise SystemExit(f"unknown in the picking file: {', '.join(sorted(unknown))}")
    return {
        "format": FORMAT,
        "front_end": front_end_config(m, "pitch", m.band_hz(-1), m.band_hz(m.BANDS)),
        "lowest_key": m.LOWEST_KEY,
        "keys": m.KEYS,
        "bands_per_semitone": m.BANDS_PER_SEMITONE,
        "window_bands": 2 * m.REACH + 1,
        "harmonics": m.harmonic_bands(),
        "channels": m.CHANNELS,
        "blocks": [{"keys": k, "dilation": d, "past_taps": p} for k, d, p in m.BLOCKS],
    } | PICKING | picking  # fmt: skip


def write(net, path, picking=None):
    """Writes the network."""
    metadata = {"config": json.dumps(config(picking or {}))}
    save_file({name: value.half() for name, value in tensors(net).items()}, path, metadata=metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--picking", help="JSON file with thresholds")
    options = parser.parse_args()
    picking = json.load(open(options.picking)) if options.picking else {}
    net = m.PitchNet()
    net.load_state_dict(torch.load(options.checkpoint, map_location="cpu", weights_only=True)["model"])
    write(net, options.out, picking)


if __name__ == "__main__":
    main()
