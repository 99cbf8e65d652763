"""Segments of a user's recordings, from `hitscribe-train recordings`."""

import torch

from .records import records


class Recordings(torch.utils.data.IterableDataset):
    """An endless stream of one stem of what lies below a folder; worker w of n renders its own seed.

    `parse` makes an example of each `record_bytes`; `more` are further arguments of the renderer.
    """

    def __init__(self, options, seed, first, record_bytes, parse, more=()):
        self.command = [options.renderer, "recordings", "--folder", options.folder, "--stem", options.stem, *more]
        self.seed, self.first = seed, first
        self.record_bytes, self.parse = record_bytes, parse

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        seed = self.seed + 1000 * (info.id if info else 0)
        stream = ["--seed", str(seed), "--first", str(self.first), "--count", str(10**9)]
        for record in records(self.command + stream, self.record_bytes):
            yield self.parse(record)
