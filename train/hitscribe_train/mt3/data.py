"""Segments with MT3's tokens, as `hitscribe-train recordings --tokens mt3` writes them."""

import numpy as np

from .model import MAX_IDS, PAD, SEGMENT_SAMPLES

RECORD_BYTES = SEGMENT_SAMPLES * 2 + 4 + MAX_IDS * 2


def parse(record):
    """Audio, number of frames that have features, ids with their end, filled with PAD."""
    audio = np.frombuffer(record, "<i2", SEGMENT_SAMPLES).astype(np.float32) / 32768.0
    frames, count = np.frombuffer(record, "<u2", 2, SEGMENT_SAMPLES * 2).astype(np.int64)
    ids = np.frombuffer(record, "<u2", MAX_IDS, SEGMENT_SAMPLES * 2 + 4).astype(np.int64)
    ids[count:] = PAD
    return audio, frames, ids
