"""The drum network of a weights file: the inverse of `export.py`."""

import json

import torch

from ...common import eight_bits
from . import model as m
from .export import stem_layers


def from_matrix(matrix, taps):
    """[taps * inputs, outputs] -> [outputs, inputs, taps]"""
    return matrix.unflatten(0, (taps, -1)).permute(2, 1, 0)


@torch.no_grad()
def unfold(conv, norm, weight, bias):
    """A norm that passes on what it gets, so that convolution and norm give what the weights file says."""
    conv.weight.copy_(weight)
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)
    norm.weight.fill_(1.0)
    norm.bias.copy_(bias)


@torch.no_grad()
def from_weights_file(path):
    """The network of a weights file and its picking thresholds; the inverse of `export.py`."""
    net = m.DrumNet()
    metadata, values = eight_bits.read(path)
    config = json.loads(metadata["config"])
    if config["classes"] != list(m.CLASSES) or config["channels"] != m.CHANNELS:
        raise SystemExit(f"{path}: not a built-in drum model of this version")
    for index, (conv, norm, _) in enumerate(stem_layers(net.stem)):
        weight = values[f"stem.{index}.weight"].unflatten(1, (3, -1))  # [frequency, time, inputs, outputs]
        unfold(conv, norm, weight.permute(3, 2, 0, 1), values[f"stem.{index}.bias"])
    project = from_matrix(values["project.weight"], 3)  # [outputs, bands * channels, taps]
    channels = net.stem.layers[-2][0].out_channels
    by_band = project.unflatten(1, (-1, channels)).transpose(1, 2).flatten(1, 2)
    unfold(net.stem.project, net.stem.norm, by_band, values["project.bias"])
    for index, block in enumerate(net.blocks):
        spread = from_matrix(values[f"block.{index}.spread.weight"], block.spread.kernel_size[0])
        unfold(block.spread, block.norm, spread, values[f"block.{index}.spread.bias"])
        block.mix.weight.copy_(from_matrix(values[f"block.{index}.mix.weight"], 1))
        block.mix.bias.copy_(values[f"block.{index}.mix.bias"])
    # The file has no velocity output: it is learnt anew and not exported either.
    onset, shift = from_matrix(values["head.weight"], 1).chunk(2)
    net.head.weight.copy_(torch.cat([onset, torch.zeros_like(onset), shift]))
    onset, shift = values["head.bias"].chunk(2)
    net.head.bias.copy_(torch.cat([onset, torch.zeros_like(onset), shift]))
    return net, dict(zip(config["classes"], config["thresholds"]))


@torch.no_grad()
def measure_norms(net, batches):
    """Gives the norms of a network of `from_weights_file` the statistics of `batches` of audio, so that they may
    be trained on; what the network computes stays."""
    norms = [module for module in net.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    sums = {norm: [0, 0.0, 0.0] for norm in norms}

    def count(norm, inputs, _):
        values = inputs[0].transpose(0, 1).flatten(1).double()
        entry = sums[norm]
        entry[0] += values.shape[1]
        entry[1] = entry[1] + values.sum(1)
        entry[2] = entry[2] + values.square().sum(1)

    hooks = [norm.register_forward_hook(count) for norm in norms]
    net.eval()
    for audio in batches:
        net(audio)
    for hook in hooks:
        hook.remove()
    for norm, (number, total, squares) in sums.items():
        mean = total / number
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(squares / number - mean.square())
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias += norm.running_mean
    net.train()
