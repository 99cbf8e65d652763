"""What `finetune.py` does with the built-in pitched network: the notes of one stem among everything else."""

import json

import torch

from ...common.eight_bits import read
from ...common.loop import fit
from ...common.recordings import Recordings
from ...common.records import SEGMENT_SAMPLES, content
from ...drums.optimizer import Optimizer
from . import export
from .features import HOP, BandPowers, relative
from .model import HarmonicNet
from .pick import Rule
from .targets import LOSS_WEIGHTS, labels
from .targets import losses as losses_of
from .transcribe import load

RATE = 5e-4
FRAMES = SEGMENT_SAMPLES // HOP
MAX_NOTES, NOTE_VALUES = 512, 5  # onset, offset, key, velocity, program
RECORD_BYTES = SEGMENT_SAMPLES * 2 + 4 + MAX_NOTES * NOTE_VALUES * 4


@torch.no_grad()
def from_weights_file(path):
    """The network of a weights file and its rule of picking; the inverse of `export.py`. Norms are left with what is
    folded into the products: a factor of 1 and an offset."""
    metadata, values = read(path)
    said = json.loads((metadata or {}).get("config", "{}"))
    picking = said.get("picking", {})
    rule = Rule(*(picking.get(name, 0.5) for name in ("onset", "sounding", "offset")))
    net = HarmonicNet().eval()
    # All that the file says of the network, but for how notes are picked.
    if said != export.config(net, rule):
        raise SystemExit(f"{path}: not a built-in pitched model of this version")

    def fill_norm(norm, offset):
        norm.weight.fill_(1.0), norm.bias.copy_(offset)
        norm.running_mean.zero_(), norm.running_var.fill_(1.0 - norm.eps)

    def fill(linear, name):
        linear.weight.copy_(values[f"{name}.weight"].t()), linear.bias.copy_(values[f"{name}.bias"])

    outputs, inputs, bands, steps = net.stem.weight.shape
    stem = values["stem.weight"].unflatten(0, (steps, bands, inputs))
    net.stem.weight.copy_(stem.permute(3, 2, 1, 0))
    fill_norm(net.stem_norm, values["stem.bias"])
    net.place.copy_(values["place"])
    for index, block in enumerate(net.blocks):
        block.project.weight.copy_(values[f"block.{index}.project.weight"].t())
        spread = values[f"block.{index}.spread.weight"]
        block.harmonics.copy_(spread[: len(block.harmonics)])
        block.time.weight.copy_(spread[len(block.harmonics) :].view_as(block.time.weight))
        fill_norm(block.norm, values[f"block.{index}.spread.bias"])
        fill(block.mix, f"block.{index}.mix")
    for name, linear in (("gather", net.gather), ("tell", net.tell), ("memory", net.memory.gates), ("head", net.head)):
        fill(linear, name)
    gru = net.together
    gru.weight_ih_l0.copy_(values["gru.input.weight"].t()), gru.bias_ih_l0.copy_(values["gru.input.bias"])
    gru.weight_hh_l0.copy_(values["gru.hidden.weight"].t()), gru.bias_hh_l0.copy_(values["gru.hidden.bias"])
    return net, rule


def parse(record):
    audio, notes = content(record, MAX_NOTES, NOTE_VALUES)
    return audio, labels(notes, FRAMES)


def losses(net, audio, targets):
    with torch.autocast(audio.device.type, enabled=False):
        with torch.no_grad():
            channels, scalars = relative(BandPowers()(audio.float().cpu()))
        outputs = net(channels.to(audio.device), scalars.to(audio.device))
        return losses_of(outputs, targets[0].transpose(0, 1))


def finetune(options):
    """From the weights file or checkpoint `options.start` to the weights file `options.out`. Norms stay as they are."""
    if options.start.endswith(".safetensors"):
        net, rule = from_weights_file(options.start)
    else:
        net, rule = load(options.start), Rule()
    recordings = lambda seed, first: Recordings(options, seed, first, RECORD_BYTES, parse)
    tuned = fit(net, recordings, losses, LOSS_WEIGHTS, options, Optimizer)
    export.write(tuned.cpu(), options.out, rule)
