"""Writes a small tensor pack that shows whether the engine computes what PyTorch computes.

    python -m hitscribe_train.parity engine/tests/data/builtin_parity.safetensors

A network of the model's shape with random weights and random norm statistics is exported in 32-bit
floats with narrow layers, so that the pack stays small; audio, features and outputs lie beside it.
The engine's test (engine/tests/builtin_parity.rs) loads the network from the pack itself.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from . import export
from . import model as m

SECONDS = 3.2
CHANNELS = 24


def test_audio(frames):
    """Clicks with decaying noise and tones over a faint noise floor, with a silent stretch."""
    generator = torch.Generator().manual_seed(1)
    n = frames * m.HOP
    t = torch.arange(n) / m.SAMPLE_RATE
    audio = 1e-4 * torch.randn(n, generator=generator)
    for index in range(12):
        start = int((0.05 + 0.23 * index) * m.SAMPLE_RATE)
        age = t[: n - start]
        noise = torch.randn(n - start, generator=generator) * torch.exp(-age * (15 + 8 * index))
        tone = torch.sin(2 * torch.pi * (60 + 170 * index) * age) * torch.exp(-age * 20)
        audio[start:] += 0.6 / (1 + index % 3) * (tone if index % 2 else noise)
    audio[n // 2 : n // 2 + m.SAMPLE_RATE // 3] = 0.0
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
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    m.CHANNELS = CHANNELS
    net = random_network()
    audio = test_audio(int(SECONDS * m.SAMPLE_RATE) // m.HOP)
    features = net.front_end(audio[None])
    onset, _, shift = net.from_features(features)
    values, stem = export.tensors(net)
    values |= {
        "check.audio": audio,
        "check.features": features[0].permute(2, 1, 0).contiguous(),  # [frames, bands, FFT sizes]
        "check.outputs": torch.stack([onset[0], shift[0]]).permute(2, 0, 1).contiguous(),
    }
    metadata = {"config": json.dumps(export.config(stem, {}))}
    save_file(values, parser.parse_args().out, metadata=metadata)


if __name__ == "__main__":
    main()
