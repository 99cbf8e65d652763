"""Pitched segments from the renderer (`hitscribe-train segments --pitched`) as batches of tensors."""

import numpy as np

from ..common.records import SEGMENT_SAMPLES, Segments, content, records
from .model import HOP, KEYS, LOWEST_KEY, SAMPLE_RATE

FRAMES = SEGMENT_SAMPLES // HOP
MAX_NOTES = 512
NOTE_VALUES = 5  # onset, offset, key, velocity, program
RECORD_BYTES = SEGMENT_SAMPLES * 2 + 4 + MAX_NOTES * NOTE_VALUES * 4

# Frames after the end of a note in which it may ring on: neither asked for nor forbidden.
RELEASE_FRAMES = 10


def render(renderer, bank, pool, seed, first, count):
    """Yields the records of one renderer process."""
    command = [renderer, "segments", "--pitched", "--bank", bank, "--pool", pool]
    command += ["--seed", str(seed), "--first", str(first), "--count", str(count)]
    return records(command, RECORD_BYTES)


def labels(notes):
    """Targets of one segment, each [keys, frames]: onset, sounding, weight of sounding, velocity, shift, hit mask."""
    onset, sounding, velocity, shift, hit = np.zeros((5, KEYS, FRAMES), np.float32)
    weight = np.ones((KEYS, FRAMES), np.float32)
    for start, end, key, strength, _ in notes:
        key = int(key) - LOWEST_KEY
        if not 0 <= key < KEYS:
            continue
        position, last = start * SAMPLE_RATE / HOP, end * SAMPLE_RATE / HOP
        nearest = round(position)
        weight[key, max(round(last), 0) : max(round(last) + RELEASE_FRAMES, 0)] = 0.0
        sounding[key, max(nearest, 0) : max(round(last), 0)] = 1.0
        for frame in range(max(nearest - 2, 0), min(nearest + 3, FRAMES)):
            # 1 up to half a frame away, 0 from one and a half.
            target = min(max(1.5 - abs(frame - position), 0.0), 1.0)
            onset[key, frame] = max(onset[key, frame], target)
        if 0 <= nearest < FRAMES:
            velocity[key, nearest] = strength
            shift[key, nearest] = position - nearest
            hit[key, nearest] = 1.0
    weight[sounding > 0] = 1.0
    return onset, sounding, weight, velocity, shift, hit


def parse(record):
    audio, notes = content(record, MAX_NOTES, NOTE_VALUES)
    return (audio, *labels(notes))


def segments(renderer, bank, pool, seed, first=0):
    """An endless stream of examples."""
    return Segments(render, parse, (renderer, bank, pool), seed, first)
