"""Batches from the ring: segments at random, varied, with their targets."""

import time

import numpy as np
import torch

from .augment import reference_start, varied
from .features import REFERENCE_START, relative
from .ring import Ring
from .targets import labels

CUT_FRAMES = 32  # a segment is used from any of its first frames on


def example(powers, hits, rng):
    """One use of a segment: powers, reference at the start, targets [5, classes, frames]."""
    frames = powers.shape[-1] - CUT_FRAMES
    first = int(rng.integers(0, CUT_FRAMES))
    powers = torch.from_numpy(powers[..., first : first + frames].astype(np.float32))
    shifted = hits.copy()
    shifted[:, 0] -= first * 0.008
    powers = varied(powers, rng)
    start = reference_start(rng, powers, REFERENCE_START)
    return powers, start, np.stack(labels(shifted[shifted[:, 0] > -0.02], frames))


class Batches(torch.utils.data.IterableDataset):
    """Endless. Yields channels, scalars, targets [targets, batch, classes, frames]."""

    # What the pitched network has of its own.
    ring_type, example, relative = Ring, staticmethod(example), staticmethod(relative)
    fewest_segments = 200  # to choose from

    def __init__(self, ring, batch, seed, most_uses):
        self.folder, self.batch, self.seed, self.most_uses = ring, batch, seed, most_uses

    def __iter__(self):
        torch.set_num_threads(1)
        ring, rng = self.ring_type(self.folder), np.random.default_rng(self.seed)
        while True:
            # What is rendered is read often, but not for ever.
            while len(ring) < self.fewest_segments or ring.totals[1] > self.most_uses * ring.totals[0]:
                time.sleep(0.2)
            slots = ring.choose(rng, self.batch)
            powers, starts, targets = zip(*(self.example(*ring.read(slot), rng) for slot in slots))
            channels, scalars = self.relative(torch.stack(powers), torch.tensor(starts, dtype=torch.float32))
            yield channels, scalars, torch.from_numpy(np.stack(targets, axis=1))
