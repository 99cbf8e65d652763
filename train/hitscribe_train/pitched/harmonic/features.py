"""What the harmonic network takes in: band powers on a logarithmic frequency axis, three bands a semitone, relative
to the loudest so far. As `drums/features.py`, with other bands and frames of 16 ms.

The engine's implementation: engine/core/src/features/log_bands.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from ...common.front_end import SAMPLE_RATE, triangles

HOP = 512  # samples between frames: 16 ms
FFT_SIZES = (8192, 2048)
LOWEST_KEY, KEYS = 21, 88
BANDS_PER_SEMITONE = 3
BANDS = 300  # band 2 is centred on the lowest key; the last lies at 8.4 kHz
POWER_FLOOR = 1e-10
RELATIVE_FLOOR = 1e-7
REFERENCE_START, REFERENCE_RISE, REFERENCE_FALL = -5.0, 0.5, 0.0016
USUAL_FRAMES = 125
SILENCE = -9.0
CHANNELS, SCALARS = 3, 2
LOG2_10 = 3.321928094887362


def band_hz(band):
    """Centre of a band; real numbers give what lies between."""
    lowest_hz = 440.0 * 2.0 ** ((LOWEST_KEY - 69) / 12)
    return lowest_hz * 2.0 ** ((band - 2) / (12 * BANDS_PER_SEMITONE))


class BandPowers(nn.Module):
    """[batch, samples] -> [batch, transforms, bands, frames], log10 of power; frame t is centred on sample t * HOP."""

    def __init__(self):
        super().__init__()
        edges = [band_hz(band) for band in range(-1, BANDS + 1)]
        for n_fft in FFT_SIZES:
            self.register_buffer(f"filters_{n_fft}", triangles(edges, n_fft).to_sparse_csr(), persistent=False)
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def powers(self, audio, n_fft):
        window = getattr(self, f"window_{n_fft}")
        padded = F.pad(audio, (n_fft // 2, n_fft // 2))
        spectrum = torch.stft(padded, n_fft, HOP, window=window, center=False, return_complex=True)
        power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
        filters = getattr(self, f"filters_{n_fft}")
        frames = audio.shape[-1] // HOP
        return torch.stack([filters @ p for p in power[..., :frames]])

    def forward(self, audio):
        return torch.log10(torch.stack([self.powers(audio, n) for n in FFT_SIZES], dim=-3) + POWER_FLOOR)


def level(powers):
    """Level of each frame, log10 of power: the square of the bands' mean amplitude. [batch, frames]"""
    return 2.0 * torch.log10(torch.exp2(powers[:, 1] * (0.5 * LOG2_10)).mean(-2))


def references(levels, start):
    """The loudest so far at each frame. `levels` [batch, frames], `start` [batch]"""
    values, x, s = np.empty(levels.shape, np.float32), levels.numpy(), start.numpy()
    for t in range(x.shape[-1]):
        s = np.maximum(np.maximum(s - REFERENCE_FALL, np.minimum(x[:, t], s + REFERENCE_RISE)), REFERENCE_START)
        values[:, t] = s
    return torch.from_numpy(values)


def usual(powers, levels):
    """The running mean of each band. `powers` [batch, bands, frames], `levels` [batch, frames]"""
    x, counts = np.ascontiguousarray(powers.permute(2, 0, 1).numpy()), (levels >= SILENCE).numpy()
    values, mean = np.empty_like(x), np.full_like(x[0], np.log10(POWER_FLOOR))
    frames = counts.cumsum(1).clip(1, USUAL_FRAMES)
    shares = (counts / frames).T.astype(np.float32)[:, :, None]
    for t in range(len(x)):
        mean = mean + (x[t] - mean) * shares[t]
        values[t] = mean
    return torch.from_numpy(values).permute(1, 2, 0)


def relative(powers, start=None):
    """The network's input: ([batch, CHANNELS, bands, frames], [batch, SCALARS, frames]) from `BandPowers`.

    `start` is the reference before the first frame; that of a passage which begins is REFERENCE_START.
    """
    levels = level(powers)
    if start is None:
        start = torch.full((powers.shape[0],), REFERENCE_START)
    reference = references(levels, start)
    difference = (powers - reference[:, None, None]).clamp(min=-12.0)
    floored = torch.log10(torch.exp2(difference * LOG2_10) + RELATIVE_FLOOR)
    whitened = powers[:, 1] - usual(powers[:, 1], levels)
    channels = torch.cat([0.5 * (floored + 3.0), 0.5 * whitened[:, None].clamp(-3.0, 5.0)], dim=1)
    scalars = torch.stack([0.5 * (reference + 3.0), 0.5 * (levels - reference).clamp(min=-7.0) + 0.5], dim=1)
    return channels, scalars


__all__ = ["BANDS", "HOP", "SAMPLE_RATE", "BandPowers", "relative"]
