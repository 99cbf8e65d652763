"""Writes a trained network as the weights file that the engine embeds.

    python -m hitscribe_train.drums.independent.export CHECKPOINT OUT.safetensors [--picking PICKING.json]

Every batch norm is folded into the convolution before it. Weights are stored as the matrices that
the engine multiplies with (channels last, taps before channels), in 16-bit floats:

    stem.N.weight   [3 frequency taps, 3 time taps * inputs, outputs]     stem.N.bias   [outputs]
    project.weight  [3 time taps * bands * channels, CHANNELS]            project.bias
    block.N.spread.weight [taps * CHANNELS, CHANNELS]                     block.N.spread.bias
    block.N.mix.weight    [CHANNELS, CHANNELS]                            block.N.mix.bias
    head.weight     [CHANNELS, 2 * classes]: onset, shift                 head.bias

The metadata key "config" holds everything else as JSON: front end, shape of the network, classes and
how hits are picked. PICKING.json overrides the defaults of the latter: {"thresholds": {"kick": 0.4}}.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from ...common.front_end import front_end_config
from . import model as m

FORMAT = 1
DEFAULT_THRESHOLD = 0.5


def folded(conv, norm):
    """Weight and bias of a convolution with its batch norm folded in."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * scale.reshape(-1, *[1] * (conv.weight.dim() - 1))
    bias = norm.bias - norm.running_mean * scale
    return weight, bias if conv.bias is None else bias + conv.bias * scale


def taps_first(weight):
    """[outputs, inputs, taps] -> [taps * inputs, outputs]"""
    return weight.permute(2, 1, 0).flatten(0, 1)


def stem_layers(stem):
    """Yields (convolution, norm, whether bands are pooled by two after it)."""
    layers = list(stem.layers)
    for index, layer in enumerate(layers):
        if isinstance(layer, torch.nn.MaxPool2d):
            continue
        pooled = index + 1 < len(layers) and isinstance(layers[index + 1], torch.nn.MaxPool2d)
        yield layer[0], layer[1], pooled


@torch.no_grad()
def tensors(net):
    """Name -> tensor, and the shape of the stem for the configuration."""
    out, stem, bands = {}, [], m.BANDS
    for index, (conv, norm, pooled) in enumerate(stem_layers(net.stem)):
        weight, bias = folded(conv, norm)  # [outputs, inputs, frequency, time]
        out[f"stem.{index}.weight"] = weight.permute(2, 3, 1, 0).flatten(1, 2)
        out[f"stem.{index}.bias"] = bias
        stem.append({"outputs": conv.out_channels, "stride": conv.stride[0], "pooled": pooled})
        bands = (bands - 1) // conv.stride[0] + 1
        bands //= 2 if pooled else 1

    weight, bias = folded(net.stem.project, net.stem.norm)
    by_channel = weight.unflatten(1, (-1, bands))  # [outputs, channels, bands, taps]
    out["project.weight"] = taps_first(by_channel.transpose(1, 2).flatten(1, 2))
    out["project.bias"] = bias
    for index, block in enumerate(net.blocks):
        weight, bias = folded(block.spread, block.norm)
        out[f"block.{index}.spread.weight"] = taps_first(weight)
        out[f"block.{index}.spread.bias"] = bias
        out[f"block.{index}.mix.weight"] = taps_first(block.mix.weight)
        out[f"block.{index}.mix.bias"] = block.mix.bias
    # The velocity output helps the training; the engine measures velocities on the audio.
    onset, _, shift = net.head.weight.chunk(3)
    out["head.weight"] = taps_first(torch.cat([onset, shift]))
    onset, _, shift = net.head.bias.chunk(3)
    out["head.bias"] = torch.cat([onset, shift])
    return {name: value.contiguous() for name, value in out.items()}, stem


def config(stem, picking):
    """Everything the engine needs beside the tensors."""
    unknown = set(picking.get("thresholds", {})) - set(m.CLASSES)
    if unknown:
        raise SystemExit(f"unknown classes in the picking file: {', '.join(sorted(unknown))}")
    thresholds = {name: DEFAULT_THRESHOLD for name in m.CLASSES} | picking.get("thresholds", {})
    return {
        "format": FORMAT,
        "front_end": front_end_config(m, "mel", m.LOWEST_HZ, m.HIGHEST_HZ),
        "stem": stem,
        "channels": m.CHANNELS,
        "blocks": [{"taps": k, "dilation": d, "past_taps": p} for k, d, p in m.BLOCKS],
        "classes": list(m.CLASSES),
        "thresholds": [thresholds[name] for name in m.CLASSES],
    }


def write(net, path, picking=None, dtype=torch.float16):
    """Writes the network; it must be in eval mode, because the norms are folded as they stand."""
    values, stem = tensors(net)
    metadata = {"config": json.dumps(config(stem, picking or {}))}
    save_file({name: value.to(dtype) for name, value in values.items()}, path, metadata=metadata)


def load(checkpoint):
    """The network of a training checkpoint, on the CPU, in eval mode."""
    net = m.DrumNet()
    net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["model"])
    return net.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--picking", help="JSON file with thresholds by class")
    options = parser.parse_args()
    picking = json.load(open(options.picking)) if options.picking else {}
    write(load(options.checkpoint), options.out, picking)


if __name__ == "__main__":
    main()
