"""The built-in drum model: log-mel front end and a convolutional network with bounded context.

Every output frame depends on PAST_FRAMES frames before it and FUTURE_FRAMES after it, and on nothing
else. So the result does not depend on how a recording is cut into segments, and it can be streamed.

The engine has its own implementation of all of this (engine/src/model/builtin.rs and
engine/src/audio/mel.rs); `parity.py` writes the tensors that prove the two equal.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SAMPLE_RATE = 32_000
HOP = 256  # samples between frames: 8 ms
BANDS = 96
FFT_SIZES = (2048, 512)  # one input channel each: fine in frequency, fine in time
LOWEST_HZ, HIGHEST_HZ = 30.0, 15_800.0

# Level reference: mean power of the frames from LEVEL_PAST before to LEVEL_FUTURE after, floored.
LEVEL_PAST, LEVEL_FUTURE = 250, 48
LEVEL_FLOOR = 1e-9  # mean square: about -90 dBFS
FLOOR = 1e-6  # power of a band relative to the level reference
LOG_OFFSET, LOG_SCALE = 3.0, 0.5

CLASSES = (
    "kick", "snare", "side_stick", "clap",
    "high_tom", "mid_tom", "low_tom", "floor_tom",
    "closed_hat", "pedal_hat", "open_hat",
    "crash", "ride", "ride_bell", "china", "splash",
    "cowbell", "tambourine", "shaker",
)  # fmt: skip

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


def mel_filters(n_fft):
    """Triangles on the HTK mel scale, each normalised to unit sum: [BANDS, n_fft / 2 + 1].

    A triangle narrower than a bin takes the interpolated bin at its centre.
    """
    mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)
    hz = lambda m: 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    edges = hz(np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2))
    width = SAMPLE_RATE / n_fft
    bins = np.arange(n_fft // 2 + 1) * width
    filters = np.zeros((BANDS, len(bins)))
    for band in range(BANDS):
        low, centre, high = edges[band : band + 3]
        # At least one bin wide to each side: no band is empty, narrow ones interpolate.
        low, high = min(low, centre - width), max(high, centre + width)
        up, down = (bins - low) / (centre - low), (high - bins) / (high - centre)
        filters[band] = np.clip(np.minimum(up, down), 0.0, None)
        filters[band] /= filters[band].sum()
    return filters.astype(np.float32)


class FrontEnd(nn.Module):
    """[batch, samples] -> [batch, 2, BANDS, frames]; frame t is centred on sample t * HOP."""

    def __init__(self):
        super().__init__()
        for n_fft in FFT_SIZES:
            self.register_buffer(f"filters_{n_fft}", torch.from_numpy(mel_filters(n_fft)), persistent=False)
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def band_powers(self, audio, n_fft):
        """Power of each band, scaled so that the window does not matter: mean-square units per bin."""
        window = getattr(self, f"window_{n_fft}")
        padded = F.pad(audio, (n_fft // 2, n_fft // 2))
        spectrum = torch.stft(padded, n_fft, HOP, window=window, center=False, return_complex=True)
        power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
        frames = audio.shape[-1] // HOP
        return torch.matmul(getattr(self, f"filters_{n_fft}"), power[..., :frames])

    @staticmethod
    def level(audio):
        """Mean square around each frame, by the rule above; silence outside the audio. [batch, frames]"""
        frames = audio.shape[-1] // HOP
        power = audio[..., : frames * HOP].reshape(*audio.shape[:-1], frames, HOP).square().mean(-1)
        total = F.pad(power.double().cumsum(-1), (1, 0))
        t = torch.arange(frames, device=audio.device)
        first, last = (t - LEVEL_PAST).clamp(min=0), (t + LEVEL_FUTURE + 1).clamp(max=frames)
        mean = (total[..., last] - total[..., first]) / (LEVEL_PAST + LEVEL_FUTURE + 1)
        return mean.float().clamp(min=0) + LEVEL_FLOOR

    def forward(self, audio):
        level = self.level(audio)[..., None, None, :]
        powers = torch.stack([self.band_powers(audio, n) for n in FFT_SIZES], dim=-3)
        return (torch.log10(powers / level + FLOOR) + LOG_OFFSET) * LOG_SCALE


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
        self.front_end = FrontEnd()
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
