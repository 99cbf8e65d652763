"""Trains the harmonic network on a ring that `feed` fills:

    python -m hitscribe_train.pitched.harmonic.train --run DIR --ring DIR

Runs until it is stopped and goes on from its last checkpoint; snapshots are branches of it. As `drums/train.py`.
"""

from ...drums import train
from .batches import Batches
from .model import HarmonicNet
from .targets import LOSS_WEIGHTS, losses

if __name__ == "__main__":
    train.main(HarmonicNet(), losses, LOSS_WEIGHTS, Batches, __doc__)
