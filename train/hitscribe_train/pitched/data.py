"""Pitched segments from the renderer (`hitscribe-train segments --pitched`) as batches of tensors."""

import numpy as np
import torch

from ..common.records import SEGMENT_SAMPLES, records, used_again
from .model import HOP, KEYS, LOWEST_KEY, SAMPLE_RATE

FRAMES = SEGMENT_SAMPLES // HOP
MAX_NOTES = 512
RECORD_BYTES = SEGMENT_SAMPLES * 2 + 4 + MAX_NOTES * 16

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
    for start, end, key, strength in notes:
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
    audio = np.frombuffer(record, "<i2", SEGMENT_SAMPLES).astype(np.float32) / 32768.0
    count = int(np.frombuffer(record, "<u4", 1, SEGMENT_SAMPLES * 2)[0])
    notes = np.frombuffer(record, "<f4", MAX_NOTES * 4, SEGMENT_SAMPLES * 2 + 4).reshape(MAX_NOTES, 4)[:count]
    return (audio, *labels(notes))


class PitchedSegments(torch.utils.data.IterableDataset):
    """An endless stream; worker w of n renders its own seed."""

    def __init__(self, renderer, bank, pool, seed, first=0):
        self.arguments = (renderer, bank, pool)
        self.seed, self.first = seed, first

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        worker = info.id if info else 0
        rendered = render(*self.arguments, self.seed + 1000 * worker, self.first, 10**9)
        yield from (parse(record) for record in used_again(rendered, np.random.default_rng(self.seed + worker)))
