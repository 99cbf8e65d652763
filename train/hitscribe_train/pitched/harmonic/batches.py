"""Batches from the ring: segments at random, varied, with their targets."""

import numpy as np
import torch

from ...drums import batches
from ...drums.augment import curve
from .features import BANDS, BANDS_PER_SEMITONE, HOP, LOG2_10, POWER_FLOOR, REFERENCE_START, SAMPLE_RATE, level, relative
from .model import PAIR
from .ring import Ring
from .targets import labels

CUT_FRAMES = 16  # a segment is used from any of its first frames on
QUIETEST = -4.5  # loudest level of a segment made softer, log10 of power


def equaliser(rng):
    """Gain by band, log10 of power."""
    bands = np.arange(BANDS, dtype=np.float32)
    gain = np.zeros(BANDS, np.float32)
    if rng.random() < 0.5:
        gain += rng.normal(0.0, 0.4) * (bands / BANDS - 0.5)
    if rng.random() < 0.5:
        gain += curve(rng, 8, BANDS, 0.2)
    if rng.random() < 0.1:  # no treble
        gain -= rng.uniform(0.01, 0.08) * (bands - rng.uniform(130, 260)).clip(min=0)
    if rng.random() < 0.08:  # no bass
        gain -= rng.uniform(0.01, 0.06) * (rng.uniform(20, 90) - bands).clip(min=0)
    return gain.clip(-6.0, 2.0)


def varied(powers, notes, rng):
    """Powers [transforms, BANDS, frames] and notes of one segment, varied."""
    if rng.random() < 0.5:  # transposed, now and then by a fraction of a semitone
        semitones = int(rng.integers(-2, 3))
        bands = BANDS_PER_SEMITONE * semitones + (int(rng.integers(-1, 2)) if rng.random() < 0.3 else 0)
        index = torch.arange(BANDS) - bands
        powers = powers[:, index.clamp(0, BANDS - 1)]
        notes = notes + np.array([0, 0, semitones, 0, 0], np.float32)
    loudest = level(powers[None]).max().item()
    gain = float(rng.uniform(max(-2.4, min(QUIETEST - loudest, 0.0)), 0.6))
    powers = powers + (gain + torch.from_numpy(equaliser(rng))[None, :, None])
    if rng.random() < 0.15:
        loudest = level(powers[None]).max().item()
        colour = curve(rng, 5, BANDS, 0.4) - rng.uniform(0.0, 2.0) * np.arange(BANDS, dtype=np.float32) / BANDS
        floor = torch.from_numpy((10.0 ** (loudest - rng.uniform(3.0, 7.0) + colour)).astype(np.float32))
        wobble = torch.rand(powers.shape) * 0.8 + 0.6
        powers = torch.log10(torch.exp2(powers * LOG2_10) + floor[None, :, None] * wobble)
    return powers.clamp(min=float(np.log10(POWER_FLOOR))), notes


def reference_start(rng, powers):
    """The reference before the first frame: that of a passage that begins, or what louder or softer music left."""
    loudest = level(powers[None]).quantile(0.98).item()
    return REFERENCE_START if rng.random() < 0.3 else max(REFERENCE_START, loudest + float(rng.uniform(-0.7, 1.2)))


def example(powers, notes, rng):
    """One use of a segment: powers, reference at the start, targets."""
    frames = (powers.shape[-1] - CUT_FRAMES) // PAIR * PAIR
    first = int(rng.integers(0, CUT_FRAMES))
    powers = torch.from_numpy(powers[..., first : first + frames].astype(np.float32))
    notes = notes - np.array([1, 1, 0, 0, 0], np.float32) * (first * HOP / SAMPLE_RATE)
    powers, notes = varied(powers, notes, rng)
    return powers, reference_start(rng, powers), labels(notes[notes[:, 1] > 0.0], frames)


class Batches(batches.Batches):
    """Endless. Yields channels, scalars, targets [TARGETS, batch, keys, frames]."""

    ring_type, example, relative = Ring, staticmethod(example), staticmethod(relative)
    fewest_segments = 100
