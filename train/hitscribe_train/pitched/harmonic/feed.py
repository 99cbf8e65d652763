"""Renders pitched segments into a ring, as fast as they are used:

    python -m hitscribe_train.pitched.harmonic.feed --ring DIR --renderer PROGRAM --bank DIR --pool DIR [--pool DIR ...]

As `drums/feed.py`. Some segments begin with digital silence, as tightly cut files and sessions do.
"""

import numpy as np

from ...common.front_end import SAMPLE_RATE
from ...drums import feed
from .features import BandPowers
from .ring import Ring

SILENT_SHARE = 0.2
LATEST_CUT = 3.0  # seconds
BEFORE_ONSET = 0.03  # a cut is at most so many seconds before the onset


def opening_silence(audio, notes, rng):
    """Silences the audio before a note that begins while no other sounds, and drops what was before."""
    onsets, offsets = notes[:, 0], notes[:, 1]
    cuts = [
        onset
        for onset in np.unique(onsets[(onsets > 0.05) & (onsets < LATEST_CUT)])
        if not ((onsets < onset - BEFORE_ONSET) & (offsets > onset + 0.01)).any()
    ]
    if not cuts or rng.random() >= SILENT_SHARE:
        return audio, notes
    # Notes of one stroke do not begin all at once: the cut is before the first of them.
    onset = rng.choice(cuts)
    onset = onsets[onsets >= onset - BEFORE_ONSET].min()
    cut = max(onset - rng.uniform(0.0, BEFORE_ONSET) ** 2 / BEFORE_ONSET, 0.0)
    audio = audio.copy()
    audio[: round(cut * SAMPLE_RATE)] = 0.0
    return audio, notes[onsets >= onset]


if __name__ == "__main__":
    feed.main(Ring, BandPowers, __doc__, ("--pitched",), opening_silence)
