"""The built-in pitched model: features on a logarithmic frequency axis and a small network that treats
every key alike.

For each of the 88 keys the network sees the bands around the key's harmonics; its convolutions over
keys have the same weights everywhere, so what is learnt about a note is learnt for all of them. The
context in time is bounded: PAST_FRAMES before a frame, FUTURE_FRAMES after it.

The engine's implementation: engine/models/src/frame/pitched/network.rs.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..common.front_end import SAMPLE_RATE, FrontEnd

HOP = 512  # samples between frames: 16 ms
FFT_SIZES = (8192, 2048)
LOWEST_KEY, KEYS = 21, 88
BANDS_PER_SEMITONE = 3
REACH = 2  # bands on each side of a harmonic that belong to it
BANDS = 300  # band REACH is centred on the lowest key; the last lies at 8.4 kHz
LEVEL_PAST, LEVEL_FUTURE = 125, 16
LOG_OFFSET, LOG_SCALE = 6.0, 0.5  # the floor becomes 0, as what lies outside of the bands

HARMONICS = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10)
CHANNELS = 24
# (keys between taps, frames between taps, past taps): three taps over keys, three over time.
BLOCKS = ((1, 1, 1), (12, 1, 1), (1, 2, 1), (19, 4, 1), (12, 8, 2), (1, 2, 1), (1, 1, 1))
TAPS = 3
PAST_FRAMES = 1 + sum(p * d for _, d, p in BLOCKS)
FUTURE_FRAMES = 1 + sum((TAPS - 1 - p) * d for _, d, p in BLOCKS)
OUTPUTS = ("onset", "sounding", "velocity", "shift")


def band_hz(band):
    """Centre of a band; real numbers give what lies between."""
    lowest_hz = 440.0 * 2.0 ** ((LOWEST_KEY - 69) / 12)
    return lowest_hz * 2.0 ** ((band - REACH) / (12 * BANDS_PER_SEMITONE))


def front_end():
    edges = [band_hz(band) for band in range(-1, BANDS + 1)]
    return FrontEnd(edges, FFT_SIZES, HOP, LEVEL_PAST, LEVEL_FUTURE, LOG_OFFSET, LOG_SCALE)


def harmonic_bands():
    """First band of the window around each harmonic of the lowest key; below 0 lies nothing."""
    return [round(12 * BANDS_PER_SEMITONE * math.log2(h)) for h in HARMONICS]


def around_harmonics(features):
    """[batch, transforms, bands, frames] -> [batch, harmonics * window * transforms, keys, frames]"""
    offsets = harmonic_bands()
    last = max(offsets) + BANDS_PER_SEMITONE * (KEYS - 1) + 2 * REACH + 1
    below = -min(offsets)
    padded = F.pad(features, (0, 0, below, last - BANDS))
    parts = []
    for offset in offsets:
        for position in range(2 * REACH + 1):
            first = below + offset + position
            parts.append(padded[:, :, first : first + BANDS_PER_SEMITONE * (KEYS - 1) + 1 : BANDS_PER_SEMITONE])
    return torch.cat(parts, 1)


class Block(nn.Module):
    """Residual: dilated 3 x 3 convolution over keys and time, ReLU, 1 x 1 convolution."""

    def __init__(self, keys, dilation, past):
        super().__init__()
        self.keys = keys
        self.padding = (past * dilation, (TAPS - 1 - past) * dilation, keys, keys)
        # The taps over keys are stacked as channels: PyTorch 2.15 has no right bf16 gradient for a
        # convolution that is dilated along the first of two axes.
        self.spread = nn.Conv2d(TAPS * CHANNELS, CHANNELS, (1, TAPS), dilation=(1, dilation))
        self.mix = nn.Conv2d(CHANNELS, CHANNELS, 1)
        # Starts as the identity, which stands in for a norm.
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x):
        padded = F.pad(x, self.padding)
        taps = [padded[:, :, tap * self.keys : tap * self.keys + KEYS] for tap in range(TAPS)]
        return x + self.mix(torch.relu(self.spread(torch.cat(taps, 1))))


class PitchNet(nn.Module):
    """[batch, samples] -> each of OUTPUTS as [batch, keys, frames]: logits, the shift in frames"""

    def __init__(self):
        super().__init__()
        self.front_end = front_end()
        inputs = len(HARMONICS) * (2 * REACH + 1) * len(FFT_SIZES)
        self.stem = nn.Conv2d(inputs, CHANNELS, (1, TAPS), padding=(0, TAPS // 2))
        self.context = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.blocks = nn.Sequential(*(Block(*b) for b in BLOCKS))
        self.head = nn.Conv2d(CHANNELS, len(OUTPUTS), 1)
        # Most keys are silent most of the time.
        nn.init.constant_(self.head.bias[:2], -4.0)

    def forward(self, audio):
        with torch.autocast(audio.device.type, enabled=False):
            features = self.front_end(audio.float())
        return self.from_features(features)

    def from_features(self, features):
        if torch.is_autocast_enabled(features.device.type):
            features = features.to(torch.get_autocast_dtype(features.device.type))
        x = torch.relu(self.stem(around_harmonics(features)))
        # What all keys together do tells a drum from a note.
        x = x + self.context(x.mean(2))[:, :, None]
        return self.head(torch.relu(self.blocks(x))).float().unbind(1)
