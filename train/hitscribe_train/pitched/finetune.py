"""What `finetune.py` does with the built-in pitched network: the notes of one stem among everything else."""

import json

import torch
from safetensors import safe_open

from ..common.loop import fit
from ..common.recordings import Recordings
from . import export
from . import model as m
from .data import RECORD_BYTES, parse
from .train import LOSS_WEIGHTS, losses

RATE = 2e-3


@torch.no_grad()
def from_weights_file(path):
    """The network of a weights file and its picking thresholds; the inverse of `export.py`."""
    net = m.PitchNet()
    with safe_open(path, "pt") as file:
        said = json.loads((file.metadata() or {}).get("config", "{}"))
        values = {name: file.get_tensor(name).float() for name in file.keys()}
    picking = {name: said[name] for name in export.PICKING if name in said}
    # All that the file says of the network, but for how peaks are picked.
    if said != export.config(picking):
        raise SystemExit(f"{path}: not a built-in pitched model of this version")

    def fill(name, layer, weight):
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(values[f"{name}.bias"])

    def fill_taps(name, layer):
        fill(name, layer, values[f"{name}.weight"].permute(2, 1, 0))

    def fill_matrix(name, layer):
        fill(name, layer, values[f"{name}.weight"].T)

    fill_taps("stem", net.stem)
    fill_matrix("context", net.context)
    for index, block in enumerate(net.blocks):
        fill_taps(f"block.{index}.spread", block.spread)
        fill_matrix(f"block.{index}.mix", block.mix)
    fill_matrix("head", net.head)
    return net, picking


def finetune(options):
    """From the weights file or checkpoint `options.start` to the weights file `options.out`."""
    if options.start.endswith(".safetensors"):
        net, picking = from_weights_file(options.start)
    else:
        net, picking = m.PitchNet(), {}
        net.load_state_dict(torch.load(options.start, map_location="cpu", weights_only=True)["model"])
    recordings = lambda seed, first: Recordings(options, seed, first, RECORD_BYTES, parse)
    tuned = fit(net, recordings, losses, LOSS_WEIGHTS, options)
    export.write(tuned.cpu(), options.out, picking)
