"""From audio to what the drum network reads. The exact definition is in train/NETWORK.md.

Two stages, so that segments are transformed once and varied often: `BandPowers`, which the ring stores, and `relative`.
"""

import numpy as np

from ..common import log_bands
from ..common.front_end import SAMPLE_RATE
from ..common.log_bands import (
    CHANNELS, POWER_FLOOR, REFERENCE_RISE, REFERENCE_START, RELATIVE_FLOOR, SCALARS, SILENCE, level,
)  # fmt: skip

HOP = 256  # samples between frames: 8 ms
BANDS = 80
FFT_SIZES = (2048, 512)  # fine in frequency, fine in time
LOWEST_HZ, HIGHEST_HZ = 30.0, 15_800.0
REFERENCE_FALL = 0.0008  # 1 dB a second
USUAL_FRAMES = 250


def mel_edges(bands=BANDS, lowest_hz=LOWEST_HZ, highest_hz=HIGHEST_HZ):
    """Edges of `bands` triangles, evenly spaced on the HTK mel scale, in Hz."""
    mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)
    hz = lambda m: 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    return hz(np.linspace(mel(lowest_hz), mel(highest_hz), bands + 2))


class BandPowers(log_bands.BandPowers):
    def __init__(self):
        super().__init__(mel_edges(), FFT_SIZES, HOP)


def relative(powers, start=None):
    """The network's input; see `log_bands.relative`."""
    return log_bands.relative(powers, start, REFERENCE_FALL, USUAL_FRAMES)
