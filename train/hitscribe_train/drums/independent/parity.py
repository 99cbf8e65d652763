"""Writes a small tensor pack that shows whether the engine computes what PyTorch computes.

    python -m hitscribe_train.drums.independent.parity engine/models/tests/data/builtin_parity.safetensors

A network of the model's shape with random weights and random norm statistics is exported in 32-bit floats with narrow
layers, so that the pack stays small; audio, features and outputs lie beside it. The engine's test
(engine/models/tests/all/parity_drums.rs) loads the network from the pack itself.
"""

import json
import sys

import torch
from safetensors.torch import save_file

from ...common.front_end import SAMPLE_RATE
from ...common.test_audio import test_audio
from . import export
from . import model as m

SECONDS = 3.2
CHANNELS = 24


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


if __name__ == "__main__":
    values, config = drums()
    save_file(values, sys.argv[1], metadata={"config": json.dumps(config)})
