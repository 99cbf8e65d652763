"""The built-in drum model: log-mel front end and a convolutional network with bounded context.

Every output frame depends on PAST_FRAMES frames before it and FUTURE_FRAMES after it, and on nothing
else. So the result does not depend on how a recording is cut into segments, and it can be streamed.

The engine has its own implementation of all of this (engine/models/src/frame/drums/network.rs and
engine/core/src/features/log_bands); `parity.py` writes the tensors that prove the two equal.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from ...common.front_end import SAMPLE_RATE, FrontEnd
from ..classes import CLASSES as ALL_CLASSES

HOP = 256  # samples between frames: 8 ms
BANDS = 96
FFT_SIZES = (2048, 512)  # one input channel each: fine in frequency, fine in time
LOWEST_HZ, HIGHEST_HZ = 30.0, 15_800.0

# Level reference: mean power of the frames from LEVEL_PAST before to LEVEL_FUTURE after, floored.
LEVEL_PAST, LEVEL_FUTURE = 250, 48
LOG_OFFSET, LOG_SCALE = 3.0, 0.5

# The classes of the engine.
CLASSES = ALL_CLASSES[:19]

CHANNELS = 192
# (kernel, dilation, past taps): tap i of a block looks at frame t + (i - past) * dilation.
BLOCKS = (
    (5, 1, 2), (5, 2, 2), (5, 4, 2), (5, 8, 2),
    (3, 16, 2), (3, 32, 2),
    (5, 1, 3), (5, 2, 3), (5, 4, 3), (5, 8, 3),
)  # fmt: skip
STEM_CONTEXT = 5  # four 3x3 convolutions and the projection
PAST_FRAMES = STEM_CONTEXT + sum(p * d for _, d, p in BLOCKS)
FUTURE_FRAMES = STEM_CONTEXT + sum((k - 1 - p) * d for k, d, p in BLOCKS)


def front_end():
    """Triangular bands, evenly spaced on the HTK mel scale."""
    mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)
    hz = lambda m: 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    edges = hz(np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2))
    return FrontEnd(edges, FFT_SIZES, HOP, LEVEL_PAST, LEVEL_FUTURE, LOG_OFFSET, LOG_SCALE)


def conv_norm_relu_2d(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=(stride, 1), padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Stem(nn.Module):
    """[batch, 2, BANDS, frames] -> [batch, CHANNELS, frames]"""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            conv_norm_relu_2d(2, 24, stride=2),
            conv_norm_relu_2d(24, 24),
            nn.MaxPool2d((2, 1)),
            conv_norm_relu_2d(24, 48),
            conv_norm_relu_2d(48, 48),
            nn.MaxPool2d((2, 1)),
        )
        self.project = nn.Conv1d(48 * BANDS // 8, CHANNELS, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(CHANNELS)

    def forward(self, features):
        return torch.relu(self.norm(self.project(self.layers(features).flatten(1, 2))))


class Block(nn.Module):
    """Residual: dilated convolution, norm, ReLU, 1x1 convolution."""

    def __init__(self, kernel, dilation, past):
        super().__init__()
        self.padding = (past * dilation, (kernel - 1 - past) * dilation)
        self.spread = nn.Conv1d(CHANNELS, CHANNELS, kernel, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(CHANNELS)
        self.mix = nn.Conv1d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        return x + self.mix(torch.relu(self.norm(self.spread(F.pad(x, self.padding)))))


class DrumNet(nn.Module):
    """[batch, samples] -> onset logits, velocity (0..1 logits), shift (frames): each [batch, classes, frames]"""

    def __init__(self):
        super().__init__()
        self.front_end = front_end()
        self.stem = Stem()
        self.blocks = nn.Sequential(*(Block(*b) for b in BLOCKS))
        self.head = nn.Conv1d(CHANNELS, 3 * len(CLASSES), 1)

    def forward(self, audio):
        with torch.autocast(audio.device.type, enabled=False):
            features = self.front_end(audio.float())
        return self.from_features(features)

    def from_features(self, features):
        onset, velocity, shift = self.head(torch.relu(self.blocks(self.stem(features)))).float().chunk(3, dim=1)
        return onset, velocity, shift
