"""Writes a trained network as a weights file for the engine:

    python -m hitscribe_train.drums.export CHECKPOINT OUT.safetensors [--picking PICKING.json]

Every batch norm is folded into the product before it. All weights are the matrices that rows are multiplied with,
[inputs, outputs], in 16-bit floats; train/NETWORK.md lists them. The metadata key "config" holds the rest as JSON.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from . import features as f
from . import model as m
from .classes import CLASSES, GM_NOTES, GROUPS, MAX_STROKES
from .evaluate import read_rule
from .pick import MOST_SHIFT, REACH, Rule
from .transcribe import TAIL_FRAMES, load

FORMAT = 2


def factors(norm):
    """Factor and offset that a batch norm multiplies with and adds."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def blocks(name, members):
    for index, block in enumerate(members):
        scale, offset = factors(block.norm)
        yield f"{name}.{index}.spread.weight", (block.spread.weight * scale).flatten(0, 1)
        yield f"{name}.{index}.spread.bias", offset
        yield f"{name}.{index}.mix.weight", block.mix.weight.t()
        yield f"{name}.{index}.mix.bias", block.mix.bias


@torch.no_grad()
def tensors(net):
    """Name -> tensor; the network in eval mode, because the norms are folded as they are."""
    out = {}
    for index, (convolution, norm, _) in enumerate(net.stem.layers):
        scale, offset = factors(norm)
        weight = convolution.weight * scale[:, None, None, None]  # [outputs, inputs, bands, frames]
        out[f"stem.{index}.weight"] = weight.permute(2, 3, 1, 0).flatten(1, 2)
        out[f"stem.{index}.bias"] = offset
    for name, linear, norm in (("project", net.stem.project, net.stem.norm), ("down", net.down, net.down_norm)):
        scale, offset = factors(norm)
        out[f"{name}.weight"], out[f"{name}.bias"] = (linear.weight * scale[:, None]).t(), offset
    for name, members in (("before", net.before), ("memory", net.memory), ("after", net.after)):
        out |= dict(blocks(name, members))
    out["gru.input.weight"], out["gru.input.bias"] = net.gru.weight_ih_l0.t(), net.gru.bias_ih_l0
    out["gru.hidden.weight"], out["gru.hidden.bias"] = net.gru.weight_hh_l0.t(), net.gru.bias_hh_l0
    for name, linear in (("up", net.up), ("head", net.head)):
        out[f"{name}.weight"], out[f"{name}.bias"] = linear.weight.t(), linear.bias
    return {name: value.contiguous().clone() for name, value in out.items()}


def shape(blocks):
    return [{"taps": taps, "dilation": dilation, "past_taps": past} for taps, dilation, past in blocks]


def config(net, rule=Rule()):
    """Everything that the engine needs beside the tensors."""
    return {
        "format": FORMAT,
        "front_end": {
            "sample_rate_hz": f.SAMPLE_RATE,
            "hop_samples": f.HOP,
            "bands": f.BANDS,
            "scale": "mel",
            "fft_sizes": list(f.FFT_SIZES),
            "lowest_hz": f.LOWEST_HZ,
            "highest_hz": f.HIGHEST_HZ,
            "power_floor": f.POWER_FLOOR,
            "relative_floor": f.RELATIVE_FLOOR,
            "reference": {"start": f.REFERENCE_START, "rise": f.REFERENCE_RISE, "fall": f.REFERENCE_FALL},
            "usual_frames": f.USUAL_FRAMES,
            "silence": f.SILENCE,
            "tail_frames": TAIL_FRAMES,
        },
        "pair": m.PAIR,
        "stem": [{"outputs": layer[0].out_channels, "steps": layer[0].kernel_size[1]} for layer in net.stem.layers],
        "fine_channels": net.head.in_features,
        "coarse_channels": net.gru.hidden_size,
        "stride": m.STRIDE,
        "before": shape(m.BEFORE),
        "memory": shape(m.MEMORY),
        "after": shape(m.AFTER),
        "future_frames": m.FUTURE_FRAMES,
        "outputs": m.OUTPUTS,
        "classes": list(CLASSES),
        "notes": list(GM_NOTES),
        "groups": [list(group) for group in GROUPS],
        "max_strokes": MAX_STROKES,
        "picking": {
            "classes": list(rule.classes),
            "groups": list(rule.groups),
            "slack": rule.slack,
            "reach_frames": REACH,
            "most_shift_frames": MOST_SHIFT,
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--picking", help="JSON file with thresholds")
    options = parser.parse_args()
    net = load(options.checkpoint)
    values = {name: value.half() for name, value in tensors(net).items()}
    save_file(values, options.out, metadata={"config": json.dumps(config(net, read_rule(options.picking)))})


if __name__ == "__main__":
    main()
