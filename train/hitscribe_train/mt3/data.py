"""Segments with MT3's tokens, as `hitscribe-train recordings --tokens mt3` writes them."""

import numpy as np

from .model import FIRST_MEMORY, MAX_IDS, PAD, SEGMENT_SAMPLES
from .shuffle import shuffled

SEQUENCE_BYTES = 2 + MAX_IDS * 2
RECORD_BYTES = SEGMENT_SAMPLES * 2 + 2 + SEQUENCE_BYTES


def parse(record):
    """Audio, number of frames that have features, ids with their end, filled with PAD."""
    audio = np.frombuffer(record, "<i2", SEGMENT_SAMPLES).astype(np.float32) / 32768.0
    (frames,) = np.frombuffer(record, "<u2", 1, SEGMENT_SAMPLES * 2).astype(np.int64)
    return audio, frames, sequence(record, 0)


def sequence(record, before):
    """The ids of the segment, or of the one that is `before` segments earlier; all PAD if there is none."""
    place = SEGMENT_SAMPLES * 2 + 2 + before * SEQUENCE_BYTES
    count = int(np.frombuffer(record, "<u2", 1, place)[0])
    ids = np.frombuffer(record, "<u2", MAX_IDS, place + 2).astype(np.int64)
    ids[count:] = PAD
    return ids


class WithMemory:
    """As `parse`, for MR-MT3: also the ids of a segment before, with a leading PAD as the decoder's have it.

    Prior token sampling: it is any of the `horizon` segments before, each as likely. Where the recording has none it
    is what `variant` has before the first segment. `shuffle`: the order of what happens at the same time is random.
    """

    def __init__(self, horizon, variant, shuffle, seed):
        self.horizon, self.shuffle = horizon, shuffle
        self.first = FIRST_MEMORY[variant]
        self.random = np.random.default_rng(seed)
        self.record_bytes = RECORD_BYTES + horizon * SEQUENCE_BYTES

    def __call__(self, record):
        audio, frames, ids = parse(record)
        return audio, frames, *self.of([ids, *(sequence(record, n + 1) for n in range(self.horizon))])

    def of(self, sequences):
        """The ids, and those of a segment before as the memory has them; from those of the segment and of each before,
        all filled with PAD."""
        ids = sequences[0]
        previous = sequences[int(self.random.integers(1, self.horizon + 1))] if self.horizon else ids[:0]
        if not previous.any():
            previous = np.array(self.first, np.int64)
        if self.shuffle:
            ids, previous = shuffled(ids, self.random), shuffled(previous, self.random)
        filled = np.full(MAX_IDS, PAD, np.int64)
        filled[1 : len(previous) + 1] = previous[: MAX_IDS - 1]
        return ids, filled
