"""A trained network on whole recordings."""

import math
from dataclasses import dataclass

import numpy as np
import soundfile
import torch
from scipy.signal import resample_poly

from .features import HOP, SAMPLE_RATE, BandPowers, relative
from .model import FRAMES, DrumNet, activations
from .pick import Rule, pick

# Frames of silence after the end, so that the last hits have what comes after them.
TAIL_FRAMES = 32


@dataclass
class Frames:
    """What the network says of a recording, each [classes, frames]."""

    activation: np.ndarray
    shift: np.ndarray
    velocity: np.ndarray  # 0..1


def load(checkpoint):
    """The running mean of a checkpoint of `train`, in eval mode."""
    net = DrumNet.of(torch.load(checkpoint, map_location="cpu", weights_only=True)["model"])
    return net.eval().to(memory_format=torch.channels_last)


def read_audio(path):
    """Mono at SAMPLE_RATE."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio, common = audio.mean(1), math.gcd(rate, SAMPLE_RATE)
    return audio if rate == SAMPLE_RATE else resample_poly(audio, SAMPLE_RATE // common, rate // common)


@torch.no_grad()
def features(audio):
    """The network's input for a whole recording, in a length that it takes."""
    frames = -(-len(audio) // HOP) + TAIL_FRAMES
    frames += -frames % FRAMES
    padded = np.zeros(frames * HOP, np.float32)
    padded[: len(audio)] = audio
    return relative(BandPowers()(torch.from_numpy(padded)[None]))


@torch.no_grad()
def outputs_of(net, channels, scalars):
    outputs = net(channels, scalars)
    rows = activations(outputs), outputs["shift"], torch.sigmoid(outputs["velocity"])
    return Frames(*(row[0].numpy() for row in rows))


def run(net, audio):
    return outputs_of(net, *features(audio))


def hits(frames, rule=Rule()):
    """Rows of seconds, class, activation, velocity 0..1."""
    found = pick(frames.activation, frames.shift, rule)
    velocity = frames.velocity[found[:, 1].astype(int), found[:, 3].astype(int)]
    return np.column_stack([found[:, :3], velocity])
