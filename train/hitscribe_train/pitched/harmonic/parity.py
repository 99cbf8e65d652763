"""Writes a small tensor pack that shows whether the engine computes what PyTorch computes:

    python -m hitscribe_train.pitched.harmonic.parity OUT.safetensors

A narrow network with random weights and norms, exported in 32-bit floats, with audio, features and outputs:

    check.audio [samples]    check.channels [frames, bands, 3]    check.scalars [frames, 2]
    check.outputs [frames, keys, outputs]    check.family [steps, keys, families]
    check.notes, check.transcription [notes, 6]: onset and end in frames, key, velocity, family, probability

Frames are those of the audio with its tail of silence. `check.notes` are picked from `check.outputs`; the
transcription is that of the audio with silence before and after it, as sessions of the engine have it.
"""

import argparse
import json

import numpy as np
import torch
from safetensors.torch import save_file

from ...common.test_audio import test_audio
from . import export
from . import model as m
from .features import FFT_SIZES, HOP, SAMPLE_RATE
from .pick import FRAME_SECONDS, Rule, pick
from .transcribe import features, outputs_of

SECONDS = 0.8
SIZES = dict(width=8, narrow=4, together=12, memory=6)
EDGE_FRAMES = FFT_SIZES[0] // HOP  # of silence
# Random networks are rarely sure.
RULE = Rule(onset=0.3, sounding=0.45, offset=0.6)


@torch.no_grad()
def random_network():
    torch.manual_seed(0)
    net = m.HarmonicNet(**SIZES)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.7, 1.4)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.3, 1.5)
    for block in net.blocks:
        block.mix.weight.mul_(3.0)
    torch.nn.init.normal_(net.place, 0.0, 0.3)
    net.tell.weight.mul_(3.0)
    net.head.weight.mul_(2.0)
    bias = net.head.bias[: m.PAIR * len(m.FRAME_OUTPUTS)].view(m.PAIR, -1)
    bias[:, 0], bias[:, 1:] = -4.0, 0.0
    return net.eval()


def notes_of(outputs):
    """As `pick`, in frames and without seconds."""
    notes = pick(outputs, RULE)
    notes[:, :2] /= FRAME_SECONDS
    return torch.from_numpy(notes).float()


@torch.no_grad()
def pack():
    """Tensors and configuration."""
    net = random_network()
    audio = test_audio(int(SECONDS * SAMPLE_RATE) // HOP * HOP)
    channels, scalars = features(audio.numpy())
    outputs = net(channels, scalars)
    edge = np.zeros(EDGE_FRAMES * HOP, np.float32)
    framed = outputs_of(net, *features(np.concatenate([edge, audio.numpy(), edge])))[0]
    # The session ends with the silence.
    frames = len(audio) // HOP + 2 * EDGE_FRAMES
    cut = {name: value[..., : frames // (m.PAIR if name == "family" else 1)] for name, value in framed.items()}
    transcription = notes_of(cut)
    transcription[:, :2] -= EDGE_FRAMES
    inside = (transcription[:, 0] >= 0.0) & (transcription[:, 0] < len(audio) / HOP)
    values = export.tensors(net) | {
        "check.audio": audio,
        "check.channels": channels[0].permute(2, 1, 0),
        "check.scalars": scalars[0].t(),
        "check.outputs": torch.stack([outputs[name][0] for name in m.FRAME_OUTPUTS]).permute(2, 1, 0),
        "check.family": outputs["family"][0].permute(2, 1, 0),
        "check.notes": notes_of({name: value[0].numpy() for name, value in outputs.items()}),
        "check.transcription": transcription[inside],
    }
    return {name: value.contiguous() for name, value in values.items()}, export.config(net, RULE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    values, config = pack()
    save_file(values, parser.parse_args().out, metadata={"config": json.dumps(config)})


if __name__ == "__main__":
    main()
