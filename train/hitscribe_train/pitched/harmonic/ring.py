"""The newest rendered segments on disk, as `drums/ring.py` keeps them. A note is its onset and offset in seconds, key,
velocity and program."""

from ...drums import ring
from .features import BANDS, FFT_SIZES, HOP


class Ring(ring.Ring):
    bands, hop = (len(FFT_SIZES), BANDS), HOP
    hits_of_base, hit_values = 512, 5
