"""Writes a small tensor pack that shows whether the engine computes what PyTorch computes:

    python -m hitscribe_train.drums.parity OUT.safetensors

A narrow network with random weights and norms, exported in 32-bit floats, with audio, features and outputs:

    check.audio [samples]    check.channels [frames, bands, 3]    check.scalars [frames, 2]
    check.outputs [frames, outputs]    check.activations [frames, classes]    check.hits [hits, 4]: seconds, class,
    activation, frame

Frames are those of the audio with its tail of silence.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from ..common.test_audio import test_audio
from . import export
from . import model as m
from .features import HOP
from .pick import Rule, pick
from .transcribe import features

SECONDS = 1.1
STEM, FINE, COARSE = ((4, 3), (8, 3), (8, 1)), 16, 24
# Random networks are rarely sure.
RULE = Rule(classes=(0.15,) * m.OUTPUTS["classes"], groups=(0.3, 0.3))


@torch.no_grad()
def random_network():
    torch.manual_seed(0)
    net = m.DrumNet(STEM, FINE, COARSE)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.7, 1.4)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.3, 1.5)
    net.head.weight.mul_(4.0)
    net.up.weight.mul_(3.0)
    net.head.bias.unflatten(0, (m.PAIR, -1))[:, : m.OUTPUTS["counts"]] = -1.0
    return net.eval()


@torch.no_grad()
def pack():
    """Tensors and configuration."""
    net = random_network()
    audio = test_audio(int(SECONDS * 32_000) // HOP * HOP)
    channels, scalars = features(audio.numpy())
    outputs = net(channels, scalars)
    activations = m.activations(outputs)
    hits = pick(activations[0].numpy(), outputs["shift"][0].numpy(), RULE)
    values = export.tensors(net) | {
        "check.audio": audio,
        "check.channels": channels[0].permute(2, 1, 0),
        "check.scalars": scalars[0].t(),
        "check.outputs": torch.cat([outputs[name] for name in m.OUTPUTS], dim=1)[0].t(),
        "check.activations": activations[0].t(),
        "check.hits": torch.from_numpy(hits).float(),
    }
    return {name: value.contiguous() for name, value in values.items()}, export.config(net, RULE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    values, config = pack()
    save_file(values, parser.parse_args().out, metadata={"config": json.dumps(config)})


if __name__ == "__main__":
    main()
