"""Renders pitched segments into a ring, as fast as they are used:

    python -m hitscribe_train.pitched.harmonic.feed --ring DIR --renderer PROGRAM --bank DIR --pool DIR [--pool DIR ...]

As `drums/feed.py`.
"""

from ...drums import feed
from .features import BandPowers
from .ring import Ring

if __name__ == "__main__":
    feed.main(Ring, BandPowers, __doc__, ("--pitched",))
