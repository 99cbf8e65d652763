"""What a renderer process (`hitscribe-train`) writes, as records of fixed size."""

import subprocess

import numpy as np
import torch

SEGMENT_SAMPLES = 131_072

# Rendering costs half as much as a training step: every segment is used this often, far apart.
USES = 2
SHUFFLED = 384  # segments waiting for their next use


def records(command, record_bytes):
    """Yields what a renderer process writes, in pieces of `record_bytes`."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=record_bytes)
    try:
        while True:
            record = process.stdout.read(record_bytes)
            if len(record) < record_bytes:
                if process.wait() != 0:
                    raise RuntimeError(f"the renderer failed: {' '.join(command)}")
                return
            yield record
    finally:
        process.kill()


def used_again(records, rng):
    """Yields every record USES times, its uses spread over about SHUFFLED others."""
    waiting = []
    for record in records:
        waiting.append((record, USES))
        while len(waiting) >= SHUFFLED:
            index = rng.integers(len(waiting))
            record, uses = waiting[index]
            yield record
            if uses > 1:
                waiting[index] = (record, uses - 1)
            else:
                waiting[index] = waiting[-1]
                waiting.pop()


def content(record, most, values=4):
    """Audio of a segment and its hits or notes, of which a record has room for `most`: rows of `values` numbers."""
    audio = np.frombuffer(record, "<i2", SEGMENT_SAMPLES).astype(np.float32) / 32768.0
    count = int(np.frombuffer(record, "<u4", 1, SEGMENT_SAMPLES * 2)[0])
    rows = np.frombuffer(record, "<f4", most * values, SEGMENT_SAMPLES * 2 + 4).reshape(most, values)
    return audio, rows[:count]


class Segments(torch.utils.data.IterableDataset):
    """An endless stream of what `parse` makes of the records of `render`; worker w of n renders its own seed."""

    def __init__(self, render, parse, source, seed, first=0):
        self.render, self.parse, self.source = render, parse, source
        self.seed, self.first = seed, first

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        worker = info.id if info else 0
        rendered = self.render(*self.source, self.seed + 1000 * worker, self.first, 10**9)
        rng = np.random.default_rng(self.seed + worker)
        yield from (self.parse(record) for record in used_again(rendered, rng))
