"""The newest rendered segments on disk, as band powers: written by `feed`, read many times by `train`.

A folder with memory-mapped arrays, so that a restart of either program loses nothing:

    powers.f16  [slots, transforms, bands, frames]   as from `BandPowers`
    hits.f32    [slots, max hits, 4]                 seconds, class, velocity, audibility in dB
    counts.i32  [slots]                              hits of each slot
    totals.i64  [3]                                  segments written; read, each reading counted; written before those
                                                     that are forgotten as soon as there are others
"""

import json
import os

import numpy as np

from .features import BANDS, FFT_SIZES, HOP

BASE_SAMPLES = 131_072
KEPT = 800  # segments to choose from, forgotten ones among them if need be


class Ring:
    # Of what is kept of a segment; the pitched network's ring has others.
    bands, hop = (len(FFT_SIZES), BANDS), HOP
    hits_of_base, hit_values = 256, 4  # of 131,072 samples; numbers of a hit

    @classmethod
    def max_hits(cls, samples):
        """Hits in a record of this length."""
        return cls.hits_of_base * samples // BASE_SAMPLES

    @classmethod
    def record_bytes(cls, samples):
        """Bytes of a record: 16-bit samples, the number of hits, the hits."""
        return samples * 2 + 4 + cls.max_hits(samples) * cls.hit_values * 4

    @classmethod
    def parse(cls, record, samples):
        """Audio and hits of a record of the renderer."""
        audio = np.frombuffer(record, "<i2", samples).astype(np.float32) / 32768.0
        count = int(np.frombuffer(record, "<u4", 1, samples * 2)[0])
        shape = cls.max_hits(samples), cls.hit_values
        return audio, np.frombuffer(record, "<f4", shape[0] * shape[1], samples * 2 + 4).reshape(shape)[:count]

    def __init__(self, folder, samples=None, slots=None):
        """Opens the ring of `folder`; with `samples` (of a segment) and `slots`, makes it where there is none."""
        about = os.path.join(folder, "ring.json")
        if not os.path.exists(about):
            if not (samples and slots):
                raise SystemExit(f"{folder}: no ring; start hitscribe_train.drums.feed")
            os.makedirs(folder, exist_ok=True)
            with open(about + ".new", "w") as file:
                json.dump({"samples": samples, "slots": slots}, file)
            os.replace(about + ".new", about)
        with open(about) as file:
            shape = json.load(file)
        self.samples, self.slots = shape["samples"], shape["slots"]
        if samples and samples != self.samples:
            raise SystemExit(f"{folder}: its segments have {self.samples} samples, not {samples}")
        self.frames = self.samples // self.hop
        self.powers = self.array(folder, "powers.f16", np.float16, (*self.bands, self.frames))
        self.hits = self.array(folder, "hits.f32", np.float32, (self.max_hits(self.samples), self.hit_values))
        self.counts = self.array(folder, "counts.i32", np.int32, ())
        self.totals = self.array(folder, "totals.i64", np.int64, (), 3)

    def array(self, folder, name, dtype, shape, slots=None):
        path, shape = os.path.join(folder, name), (slots or self.slots, *shape)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        with open(path, "ab") as file:
            file.truncate(size)
        return np.memmap(path, dtype, "r+", shape=shape)

    def __len__(self):
        return int(min(self.totals[0], self.slots))

    def choose(self, rng, count):
        """Random slots; of what is forgotten only as many as make KEPT with what came later."""
        written, oldest = int(self.totals[0]), int(self.totals[0]) - len(self)
        first = max(oldest, min(int(self.totals[2]), written - KEPT))
        return rng.integers(first, written, count) % self.slots

    def forget(self):
        """What is in the ring is to be replaced."""
        self.totals[2] = self.totals[0]

    def write(self, powers, hits):
        """Puts a segment in the place of the oldest."""
        slot = int(self.totals[0] % self.slots)
        self.powers[slot] = powers
        self.hits[slot, : len(hits)] = hits
        self.counts[slot] = len(hits)
        self.totals[0] += 1

    def read(self, slot):
        """Powers [transforms, bands, frames] and hits [count, 4] of a slot."""
        self.totals[1] += 1
        return self.powers[slot], self.hits[slot, : self.counts[slot]]
