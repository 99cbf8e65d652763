"""What the harmonic network takes in: band powers on a logarithmic frequency axis, three bands a semitone, relative
to the loudest so far. As `drums/features.py`, with other bands and frames of 16 ms.
"""

from ...common import log_bands
from ...common.front_end import SAMPLE_RATE
from ...common.log_bands import (
    CHANNELS, LOG2_10, POWER_FLOOR, REFERENCE_RISE, REFERENCE_START, RELATIVE_FLOOR, SCALARS, SILENCE, level,
)  # fmt: skip

HOP = 512  # samples between frames: 16 ms
FFT_SIZES = (8192, 2048)
LOWEST_KEY, KEYS = 21, 88
BANDS_PER_SEMITONE = 3
BANDS = 300  # band 2 is centred on the lowest key; the last lies at 8.4 kHz
REFERENCE_FALL = 0.0016
USUAL_FRAMES = 125


def band_hz(band):
    """Centre of a band; real numbers give what lies between."""
    lowest_hz = 440.0 * 2.0 ** ((LOWEST_KEY - 69) / 12)
    return lowest_hz * 2.0 ** ((band - 2) / (12 * BANDS_PER_SEMITONE))


class BandPowers(log_bands.BandPowers):
    def __init__(self):
        super().__init__([band_hz(band) for band in range(-1, BANDS + 1)], FFT_SIZES, HOP, sparse=True)


def relative(powers, start=None):
    """The network's input; see `log_bands.relative`."""
    return log_bands.relative(powers, start, REFERENCE_FALL, USUAL_FRAMES)
