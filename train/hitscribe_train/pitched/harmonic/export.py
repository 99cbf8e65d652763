"""Writes a trained network as a weights file for the engine:

    python -m hitscribe_train.pitched.harmonic.export CHECKPOINT OUT.safetensors [--onset 0.35 ...]

Every batch norm is folded into the product before it. All weights are the matrices that rows are multiplied with,
[inputs, outputs], in 16-bit floats; train/HARMONIC.md lists them. The metadata key "config" holds the rest as JSON.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from . import features as f
from . import model as m
from . import pick as p
from .layers import SHIFTS
from .transcribe import TAIL_FRAMES, load

FORMAT = 2


def factors(norm):
    """Factor and offset that a batch norm multiplies with and adds."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


@torch.no_grad()
def tensors(net):
    """Name -> tensor; the network in eval mode, because the norms are folded as they are."""
    scale, offset = factors(net.stem_norm)
    stem = net.stem.weight * scale[:, None, None, None]  # [outputs, inputs, bands, steps]
    out = {"stem.weight": stem.permute(3, 2, 1, 0).flatten(0, 2), "stem.bias": offset, "place": net.place}
    for index, block in enumerate(net.blocks):
        scale, offset = factors(block.norm)
        out[f"block.{index}.project.weight"] = block.project.weight.t()
        spread = torch.cat([block.harmonics, block.time.weight.flatten(0, 1)])
        out[f"block.{index}.spread.weight"], out[f"block.{index}.spread.bias"] = spread * scale, offset
        out[f"block.{index}.mix.weight"], out[f"block.{index}.mix.bias"] = block.mix.weight.t(), block.mix.bias
    gru = net.together
    out["gru.input.weight"], out["gru.input.bias"] = gru.weight_ih_l0.t(), gru.bias_ih_l0
    out["gru.hidden.weight"], out["gru.hidden.bias"] = gru.weight_hh_l0.t(), gru.bias_hh_l0
    for name, linear in (("gather", net.gather), ("tell", net.tell), ("memory", net.memory.gates), ("head", net.head)):
        out[f"{name}.weight"], out[f"{name}.bias"] = linear.weight.t(), linear.bias
    return {name: value.contiguous().clone() for name, value in out.items()}


def config(net, rule=p.Rule()):
    """Everything that the engine needs beside the tensors."""
    return {
        "format": FORMAT,
        "front_end": {
            "sample_rate_hz": f.SAMPLE_RATE,
            "hop_samples": f.HOP,
            "bands": f.BANDS,
            "scale": "pitch",
            "fft_sizes": list(f.FFT_SIZES),
            "lowest_hz": f.band_hz(-1),
            "highest_hz": f.band_hz(f.BANDS),
            "power_floor": f.POWER_FLOOR,
            "relative_floor": f.RELATIVE_FLOOR,
            "reference": {"start": f.REFERENCE_START, "rise": f.REFERENCE_RISE, "fall": f.REFERENCE_FALL},
            "usual_frames": f.USUAL_FRAMES,
            "silence": f.SILENCE,
            "tail_frames": TAIL_FRAMES,
        },
        "channels": net.place.shape[1],
        "narrow_channels": net.blocks[0].project.out_features,
        "together_channels": net.together.hidden_size,
        "memory_channels": net.memory.gates.out_features // 2,
        "lowest_key": f.LOWEST_KEY,
        "keys": f.KEYS,
        "pair": m.PAIR,
        "stem": {"bands": m.STEM_BANDS, "steps": m.STEM_STEPS, "stride": m.STRIDE},
        "rows": m.ROWS,
        "shifts": list(SHIFTS),
        "blocks": [{"taps": taps, "dilation": dilation, "past_taps": past} for taps, dilation, past in m.BLOCKS],
        "middle": m.MIDDLE,
        "future_frames": m.FUTURE_FRAMES,
        "outputs": list(m.FRAME_OUTPUTS),
        "families": [{"name": name, "program": p.PROGRAMS[name]} for name in m.FAMILIES],
        "picking": {
            "onset": rule.onset,
            "sounding": rule.sounding,
            "offset": rule.offset,
            "reach_frames": p.REACH,
            "most_shift_frames": p.MOST_SHIFT,
            "shortest_frames": p.SHORTEST,
            "end_frames": p.END_FRAMES,
            "family_steps": p.FAMILY_STEPS,
        },
    }


def write(net, path, rule=p.Rule()):
    values = {name: value.half() for name, value in tensors(net).items()}
    save_file(values, path, metadata={"config": json.dumps(config(net, rule))})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    for name in ("onset", "sounding", "offset"):
        parser.add_argument(f"--{name}", type=float, default=getattr(p.Rule, name))
    options = parser.parse_args()
    write(load(options.checkpoint), options.out, p.Rule(options.onset, options.sounding, options.offset))


if __name__ == "__main__":
    main()
