"""Segments with YourMT3's tokens, as `hitscribe-train recordings --tokens yourmt3` writes them."""

import numpy as np

from .model import MAX_IDS, PAD, SEGMENT_SAMPLES


class Parser:
    """Audio [SEGMENT_SAMPLES] and ids [channels, most] with their end, filled with PAD, of a record.

    ValueError if an id is not in the vocabulary of the task.
    """

    def __init__(self, task, channels):
        self.channels, self.most = channels, MAX_IDS[channels]
        self.record_bytes = 2 * SEGMENT_SAMPLES + 2 * channels * (1 + self.most)
        self.known = np.zeros(1 << 16, bool)
        self.known[sorted(task.ids | {PAD})] = True

    def __call__(self, record):
        audio = np.frombuffer(record, "<i2", SEGMENT_SAMPLES).astype(np.float32) / 32768.0
        rows = np.frombuffer(record, "<u2", offset=2 * SEGMENT_SAMPLES).reshape(self.channels, 1 + self.most)
        ids = rows[:, 1:].astype(np.int64)
        if not self.known[ids].all():
            raise ValueError(f"ids {sorted({*ids[~self.known[ids]].tolist()})} are not in the vocabulary of the task")
        return audio, ids
