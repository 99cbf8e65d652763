"""Writes small tensor packs that show whether the engine computes what PyTorch computes.

    python -m hitscribe_train.parity engine/models/tests/data/builtin_parity.safetensors
    python -m hitscribe_train.parity --pitched engine/models/tests/data/pitched_parity.safetensors

A network of the model's shape with random weights and random norm statistics is exported in 32-bit
floats with narrow layers, so that the pack stays small; audio, features and outputs lie beside it.
The engine's tests (engine/models/tests/all/parity_drums.rs, parity_pitched.rs) load the network from the pack itself.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from . import export, pitch_export
from . import model as m
from . import pitch_model as p
from .front_end import SAMPLE_RATE

SECONDS, PITCHED_SECONDS = 3.2, 2.048
CHANNELS, PITCHED_CHANNELS = 24, 8


def test_audio(n):
    """`n` samples: clicks with decaying noise and tones over a faint noise floor, with a silent stretch."""
    generator = torch.Generator().manual_seed(1)
    t = torch.arange(n) / SAMPLE_RATE
    audio = 1e-4 * torch.randn(n, generator=generator)
    for index in range(12):
        start = int((0.05 + 0.23 * index) * SAMPLE_RATE)
        if start >= n:
            break
        age = t[: n - start]
        noise = torch.randn(n - start, generator=generator) * torch.exp(-age * (15 + 8 * index))
        tone = torch.sin(2 * torch.pi * (60 + 170 * index) * age) * torch.exp(-age * 20)
        audio[start:] += 0.6 / (1 + index % 3) * (tone if index % 2 else noise)
    audio[n // 2 : n // 2 + SAMPLE_RATE // 3] = 0.0
    return audio


@torch.no_grad()
def random_network():
    torch.manual_seed(0)
    net = m.DrumNet()
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(module.weight, 0.7, 1.4)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.3, 1.5)
    return net.eval()


@torch.no_grad()
def drums():
    """Tensors and configuration of the drum network's pack."""
    m.CHANNELS = CHANNELS
    net = random_network()
    audio = test_audio(int(SECONDS * SAMPLE_RATE) // m.HOP * m.HOP)
    features = net.front_end(audio[None])
    onset, _, shift = net.from_features(features)
    values, stem = export.tensors(net)
    values |= {
        "check.audio": audio,
        "check.features": features[0].permute(2, 1, 0).contiguous(),  # [frames, bands, FFT sizes]
        "check.outputs": torch.stack([onset[0], shift[0]]).permute(2, 0, 1).contiguous(),
    }
    return values, export.config(stem, {})


@torch.no_grad()
def pitched():
    """Tensors and configuration of the pitched network's pack."""
    p.CHANNELS = PITCHED_CHANNELS
    torch.manual_seed(0)
    net = p.PitchNet()
    for block in net.blocks:
        # Training starts from zeros, which would show nothing.
        torch.nn.init.normal_(block.mix.weight, 0.0, 0.3)
        torch.nn.init.normal_(block.mix.bias, 0.0, 0.2)
    audio = test_audio(int(PITCHED_SECONDS * SAMPLE_RATE) // p.HOP * p.HOP)
    features = net.front_end(audio[None])
    values = pitch_export.tensors(net) | {
        "check.audio": audio,
        "check.features": features[0].permute(2, 1, 0).contiguous(),  # [frames, bands, FFT sizes]
        "check.outputs": torch.stack(net.from_features(features))[:, 0].permute(2, 1, 0).contiguous(),
    }
    return values, pitch_export.config({})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--pitched", action="store_true", help="the pitched network instead of the drum network")
    options = parser.parse_args()
    values, config = pitched() if options.pitched else drums()
    save_file(values, options.out, metadata={"config": json.dumps(config)})


if __name__ == "__main__":
    main()
