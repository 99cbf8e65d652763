"""Writes the pitched network's pack, as `drums/independent/parity.py` does for the drums:

    python -m hitscribe_train.pitched.parity engine/models/tests/data/pitched_parity.safetensors

The engine's test is engine/models/tests/all/parity_pitched.rs.
"""

import json
import sys

import torch
from safetensors.torch import save_file

from ..common.front_end import SAMPLE_RATE
from ..common.test_audio import test_audio
from . import export
from . import model as p

SECONDS = 2.048
CHANNELS = 8


@torch.no_grad()
def pitched():
    """Tensors and configuration of the pitched network's pack."""
    p.CHANNELS = CHANNELS
    torch.manual_seed(0)
    net = p.PitchNet()
    for block in net.blocks:
        # Training starts from zeros, which would show nothing.
        torch.nn.init.normal_(block.mix.weight, 0.0, 0.3)
        torch.nn.init.normal_(block.mix.bias, 0.0, 0.2)
    audio = test_audio(int(SECONDS * SAMPLE_RATE) // p.HOP * p.HOP)
    features = net.front_end(audio[None])
    values = export.tensors(net) | {
        "check.audio": audio,
        "check.features": features[0].permute(2, 1, 0).contiguous(),  # [frames, bands, FFT sizes]
        "check.outputs": torch.stack(net.from_features(features))[:, 0].permute(2, 1, 0).contiguous(),
    }
    return values, export.config({})


if __name__ == "__main__":
    values, config = pitched()
    save_file(values, sys.argv[1], metadata={"config": json.dumps(config)})
