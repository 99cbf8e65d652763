"""Variations of rendered segments that cost next to nothing, on their band powers.

A segment is used several times; each time it comes at another place, gain, pitch and colour, through another
noise, gain ride or band limit.
"""

import numpy as np
import torch

from .features import BANDS, POWER_FLOOR, level

QUIETEST = -4.5  # loudest level of a segment made softer, log10 of power
LOG2_10 = 3.321928094887362


def curve(rng, points, width, spread):
    """A smooth random curve over `width` values: `points` normal values of this spread, joined."""
    places = np.linspace(0, width - 1, points)
    return np.interp(np.arange(width), places, rng.normal(0.0, spread, points)).astype(np.float32)


def equaliser(rng):
    """Gain by band, log10 of power."""
    bands = np.arange(BANDS, dtype=np.float32)
    gain = np.zeros(BANDS, np.float32)
    if rng.random() < 0.6:
        gain += rng.normal(0.0, 0.5) * (bands / BANDS - 0.5)
    if rng.random() < 0.5:
        gain += curve(rng, 6, BANDS, 0.25)
    if rng.random() < 0.3:
        gain += rng.normal(0.0, 0.7) * np.exp(-(((bands - rng.uniform(0, BANDS)) / rng.uniform(3, 12)) ** 2))
    if rng.random() < 0.08:  # no treble, as from old or lossy recordings
        gain -= rng.uniform(0.1, 0.5) * (bands - rng.uniform(40, 75)).clip(min=0)
    if rng.random() < 0.08:  # no bass, as from small loudspeakers and telephones
        gain -= rng.uniform(0.1, 0.4) * (rng.uniform(2, 14) - bands).clip(min=0)
    return gain.clip(-6.0, 2.0)


def noise(rng, loudest):
    """Power by band of a steady noise below the level `loudest` (log10 of power)."""
    colour = curve(rng, 5, BANDS, 0.4) - rng.uniform(0.0, 2.0) * np.arange(BANDS, dtype=np.float32) / BANDS
    return 10.0 ** (loudest - rng.uniform(3.0, 7.0) + colour)


def moved(powers, bands):
    """Everything `bands` bands higher; the edge repeats."""
    index = (torch.arange(BANDS) - bands).clamp(0, BANDS - 1)
    return powers[:, index]


def varied(powers, rng):
    """Powers [transforms, BANDS, frames] of one segment, varied; float32. Time stays."""
    frames = powers.shape[-1]
    if rng.random() < 0.3:
        powers = moved(powers, int(rng.integers(-2, 3)))
    # Louder or softer, but nothing ends up where only noise is.
    loudest = level(powers[None]).max().item()
    gain = float(rng.uniform(max(-2.4, min(QUIETEST - loudest, 0.0)), 0.6))
    gain = gain + torch.from_numpy(equaliser(rng))[None, :, None]
    if rng.random() < 0.15:  # automatic gain, riding faders
        gain = gain + torch.from_numpy(curve(rng, int(rng.integers(3, 9)), frames, 0.25))
    powers = powers + gain
    if rng.random() < 0.2:
        loudest = level(powers[None]).max().item()
        floor = torch.from_numpy(noise(rng, loudest).astype(np.float32))[None, :, None]
        # The power of noise in one band and frame varies, in narrow bands more.
        wobble = torch.rand(powers.shape) * 0.6 + torch.rand(powers.shape) * 0.6 + 0.4
        powers = torch.log10(torch.exp2(powers * LOG2_10) + floor * wobble)
    if rng.random() < 0.1:
        low = int(rng.integers(0, BANDS - 6))
        powers = powers.clone()
        powers[:, low : low + int(rng.integers(2, 7))] -= float(rng.uniform(1.0, 4.0))
    return powers.clamp(min=float(np.log10(POWER_FLOOR)))


def reference_start(rng, powers, default):
    """The reference before the first frame: that of a passage that begins, or what louder or softer music left."""
    loudest = level(powers[None]).quantile(0.98).item()
    return default if rng.random() < 0.4 else max(default, loudest + float(rng.uniform(-1.0, 1.5)))
