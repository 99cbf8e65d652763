"""Segments from the renderer (`hitscribe-train segments`) as batches of tensors."""

import numpy as np

from ...common.records import SEGMENT_SAMPLES, Segments, content, records
from .model import CLASSES, HOP, SAMPLE_RATE

FRAMES = SEGMENT_SAMPLES // HOP
MAX_HITS = 256
RECORD_BYTES = SEGMENT_SAMPLES * 2 + 4 + MAX_HITS * 16

# Hits that other sounds drown by more than this are neither asked for nor forbidden.
INAUDIBLE_DB = -15.0
IGNORED_FRAMES = 4  # on each side of an inaudible hit


def render(renderer, bank, pool, seed, first, count, hold_out=False):
    """Yields the records of one renderer process."""
    command = [renderer, "segments", "--bank", bank, "--seed", str(seed), "--first", str(first), "--count", str(count)]
    command += ["--pool", pool] if pool else []
    command += ["--hold-out"] if hold_out else []
    return records(command, RECORD_BYTES)


def labels(hits):
    """Targets of one segment, each [classes, frames]: onset, onset weight, velocity, shift, hit mask."""
    shape = (len(CLASSES), FRAMES)
    onset = np.zeros(shape, np.float32)
    weight = np.ones(shape, np.float32)
    velocity = np.zeros(shape, np.float32)
    shift = np.zeros(shape, np.float32)
    hit = np.zeros(shape, np.float32)
    audible = hits[:, 3] >= INAUDIBLE_DB
    for seconds, c, _, _ in hits[~audible]:
        frame = round(seconds * SAMPLE_RATE / HOP)
        weight[int(c), max(frame - IGNORED_FRAMES, 0) : frame + IGNORED_FRAMES + 1] = 0.0
    for seconds, c, v, _ in hits[audible]:
        c, position = int(c), seconds * SAMPLE_RATE / HOP
        nearest = round(position)
        for frame in range(max(nearest - 2, 0), min(nearest + 3, FRAMES)):
            # 1 up to half a frame away, 0 from one and a half.
            target = min(max(1.5 - abs(frame - position), 0.0), 1.0)
            if target > onset[c, frame]:
                onset[c, frame] = target
            weight[c, frame] = 1.0
        if nearest < FRAMES:
            velocity[c, nearest] = max(velocity[c, nearest], v)
            shift[c, nearest] = position - nearest
            hit[c, nearest] = 1.0
    return onset, weight, velocity, shift, hit


def parse(record):
    audio, hits = content(record, MAX_HITS)
    return (audio, *labels(hits))


def segments(renderer, bank, pool, seed, first=0):
    """An endless stream of examples."""
    return Segments(render, parse, (renderer, bank, pool), seed, first)
