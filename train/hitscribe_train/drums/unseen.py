"""The losses of checkpoints on segments that no training has seen, which those in the log of `train` are not: every
segment there is used some times, and the noise of a batch hides what is gained.

    python -m hitscribe_train.drums.feed --ring UNSEEN --seed 99 --slots 304 --first-fill 304 --uses 1e9 ...  (then stop it)
    python -m hitscribe_train.drums.unseen UNSEEN CHECKPOINT [CHECKPOINT ...]

Always the same segments, as they were rendered. Of the counts, some 1.8 are the uncertainty of the targets themselves,
which are shared among the frames around a stroke.
"""

import argparse

import numpy as np
import torch

from .features import relative
from .model import FRAMES
from .ring import Ring
from .targets import labels, losses
from .transcribe import load

BATCH = 16


def batches(ring):
    """Channels, scalars and targets of all segments in order, as they are."""
    frames = ring.frames // FRAMES * FRAMES
    for first in range(0, len(ring) - BATCH + 1, BATCH):
        segments = [ring.read(slot) for slot in range(first, first + BATCH)]
        powers = np.stack([powers[..., :frames] for powers, _ in segments]).astype(np.float32)
        targets = np.stack([labels(hits, frames) for _, hits in segments], axis=1)
        yield *relative(torch.from_numpy(powers)), torch.from_numpy(targets)


@torch.no_grad()
def mean_losses(net, ring):
    """Part of the loss -> its mean over batches."""
    rows = [losses(net(channels, scalars), targets) for channels, scalars, targets in batches(ring)]
    return {name: float(np.mean([row[name].item() for row in rows])) for name in rows[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ring")
    parser.add_argument("checkpoints", nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ring = Ring(options.ring)
    for path in options.checkpoints:
        parts = mean_losses(load(path), ring)
        print(path, "  ".join(f"{name} {value:.4f}" for name, value in parts.items()), flush=True)


if __name__ == "__main__":
    main()
