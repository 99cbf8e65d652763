"""Log powers of bands, absolute and relative to what has been before: the input of the networks that work on frames.

The engine's implementation: engine/core/src/features/log_bands. Levels are log10 of power, mean square per bin.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from .front_end import triangles

POWER_FLOOR = 1e-10
# The reference rises by at most RISE a frame, falls by as much as a network's features say, never below START.
REFERENCE_START = -5.0  # about -50 dBFS: noise below that before the first note looks quiet
REFERENCE_RISE = 0.5
RELATIVE_FLOOR = 1e-7
# Frames of digital silence, whose level is below it, say nothing about the usual level of a band.
SILENCE = -9.0
CHANNELS = 3  # fine in frequency, fine in time, fine in time relative to the usual
SCALARS = 2  # the reference, the level relative to the reference
LOG2_10 = 3.321928094887362


class BandPowers(nn.Module):
    """[batch, samples] -> [batch, transforms, bands, frames], log10 of power; frame t is centred on sample t * hop.

    `edges`: of the triangles, in Hz. `sparse`: for many narrow bands.
    """

    def __init__(self, edges, fft_sizes, hop, sparse=False):
        super().__init__()
        self.fft_sizes, self.hop = fft_sizes, hop
        for n_fft in fft_sizes:
            filters = triangles(edges, n_fft)
            self.register_buffer(f"filters_{n_fft}", filters.to_sparse_csr() if sparse else filters, persistent=False)
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def powers(self, audio, n_fft):
        window = getattr(self, f"window_{n_fft}")
        padded = F.pad(audio, (n_fft // 2, n_fft // 2))
        spectrum = torch.stft(padded, n_fft, self.hop, window=window, center=False, return_complex=True)
        power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
        filters = getattr(self, f"filters_{n_fft}")
        return torch.stack([filters @ p for p in power[..., : audio.shape[-1] // self.hop]])

    def forward(self, audio):
        return torch.log10(torch.stack([self.powers(audio, n) for n in self.fft_sizes], dim=-3) + POWER_FLOOR)


def level(powers):
    """Level of each frame: the square of the bands' mean amplitude. [batch, frames]

    No single band decides it: hum, sub-bass or a missing top octave move it by a few dB only.
    """
    return 2.0 * torch.log10(torch.exp2(powers[:, 1] * (0.5 * LOG2_10)).mean(-2))


def references(levels, start, fall):
    """The loudest so far at each frame. `levels` [batch, frames], `start` [batch], `fall` a frame."""
    values, x, s = np.empty(levels.shape, np.float32), levels.numpy(), start.numpy()
    for t in range(x.shape[-1]):
        s = np.maximum(np.maximum(s - fall, np.minimum(x[:, t], s + REFERENCE_RISE)), REFERENCE_START)
        values[:, t] = s
    return torch.from_numpy(values)


def usual(powers, levels, span):
    """The mean of each band so far, later of about the last `span` frames. `powers` [batch, bands, frames], `levels`
    [batch, frames]"""
    x, counts = np.ascontiguousarray(powers.permute(2, 0, 1).numpy()), (levels >= SILENCE).numpy()
    values, mean = np.empty_like(x), np.full_like(x[0], np.log10(POWER_FLOOR))
    frames = counts.cumsum(1).clip(1, span)
    shares = (counts / frames).T.astype(np.float32)[:, :, None]
    for t in range(len(x)):
        mean = mean + (x[t] - mean) * shares[t]
        values[t] = mean
    return torch.from_numpy(values).permute(1, 2, 0)


def relative(powers, start, fall, span):
    """The network's input: ([batch, CHANNELS, bands, frames], [batch, SCALARS, frames]) from `BandPowers`.

    `start` is the reference before the first frame; `None`: that of a passage which begins.
    """
    levels = level(powers)
    if start is None:
        start = torch.full((powers.shape[0],), REFERENCE_START)
    reference = references(levels, start, fall)
    # log10(power / reference + RELATIVE_FLOOR), without leaving the logarithms for loud bands.
    difference = (powers - reference[:, None, None]).clamp(min=-12.0)
    floored = torch.log10(torch.exp2(difference * LOG2_10) + RELATIVE_FLOOR)
    whitened = powers[:, 1] - usual(powers[:, 1], levels, span)
    channels = torch.cat([0.5 * (floored + 3.0), 0.5 * whitened[:, None].clamp(-3.0, 5.0)], dim=1)
    scalars = torch.stack([0.5 * (reference + 3.0), 0.5 * (levels - reference).clamp(min=-7.0) + 0.5], dim=1)
    return channels, scalars
