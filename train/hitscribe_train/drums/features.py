"""From audio to what the drum network reads. The exact definition is in train/NETWORK.md.

Two stages, so that segments are transformed once and varied often:

1. `BandPowers`: the log powers of the bands of two transforms, in absolute units. Stored in the ring.
2. `Levels`: those relative to the loudest so far (`reference`) and to the usual (`whitened`), from the past alone.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from ..common.front_end import SAMPLE_RATE, triangles

HOP = 256  # samples between frames: 8 ms
BANDS = 80
FFT_SIZES = (2048, 512)  # fine in frequency, fine in time
LOWEST_HZ, HIGHEST_HZ = 30.0, 15_800.0
POWER_FLOOR = 1e-10  # absolute, mean square per bin

# The reference: rises by at most RISE a frame, falls by FALL, never below FLOOR (all log10 of power).
REFERENCE_START = -5.0  # about -50 dBFS: noise below that before the first hit looks quiet
REFERENCE_RISE = 0.5
REFERENCE_FALL = 0.0008  # 1 dB a second
RELATIVE_FLOOR = 1e-7

# The usual level of a band: mean of its log power, over all frames so far or about the last 250. Frames of digital
# silence, whose level is below SILENCE, do not count: what comes before the music says nothing about it.
USUAL_FRAMES = 250
SILENCE = -9.0

CHANNELS = 3  # fine in frequency, fine in time, fine in time relative to the usual
SCALARS = 2  # the reference, the level relative to the reference


def mel_edges(bands=BANDS, lowest_hz=LOWEST_HZ, highest_hz=HIGHEST_HZ):
    """Edges of `bands` triangles, evenly spaced on the HTK mel scale, in Hz."""
    mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)
    hz = lambda m: 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    return hz(np.linspace(mel(lowest_hz), mel(highest_hz), bands + 2))


class BandPowers(nn.Module):
    """[batch, samples] -> [batch, transforms, bands, frames], log10 of power; frame t is centred on sample t * HOP."""

    def __init__(self):
        super().__init__()
        for n_fft in FFT_SIZES:
            self.register_buffer(f"filters_{n_fft}", triangles(mel_edges(), n_fft), persistent=False)
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def powers(self, audio, n_fft):
        window = getattr(self, f"window_{n_fft}")
        padded = F.pad(audio, (n_fft // 2, n_fft // 2))
        spectrum = torch.stft(padded, n_fft, HOP, window=window, center=False, return_complex=True)
        power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
        return torch.matmul(getattr(self, f"filters_{n_fft}"), power[..., : audio.shape[-1] // HOP])

    def forward(self, audio):
        return torch.log10(torch.stack([self.powers(audio, n) for n in FFT_SIZES], dim=-3) + POWER_FLOOR)


def level(powers):
    """Level of each frame, log10 of power: the square of the bands' mean amplitude. [batch, frames]

    No single band decides it: hum, sub-bass or a missing top octave move it by a few dB only.
    """
    return 2.0 * torch.log10(torch.exp2(powers[:, 1] * (0.5 * 3.321928094887362)).mean(-2))


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
    # log10(power / reference + RELATIVE_FLOOR), without leaving the logarithms for loud bands.
    difference = (powers - reference[:, None, None]).clamp(min=-12.0)
    floored = torch.log10(torch.exp2(difference * 3.321928094887362) + RELATIVE_FLOOR)
    whitened = powers[:, 1] - usual(powers[:, 1], levels)
    channels = torch.cat([0.5 * (floored + 3.0), 0.5 * whitened[:, None].clamp(-3.0, 5.0)], dim=1)
    scalars = torch.stack([0.5 * (reference + 3.0), 0.5 * (levels - reference).clamp(min=-7.0) + 0.5], dim=1)
    return channels, scalars


__all__ = ["BANDS", "HOP", "SAMPLE_RATE", "BandPowers", "relative"]
