"""Segments of recordings as MT3 reads them, made once: python -m hitscribe_train.mt3.segments OUT --folder SONGS
--renderer HITSCRIBE_TRAIN --count N [--seed N] [--silent SHARE] [--history N]

OUT gets `features.u8` [N, frames, bands] (natural logarithms in STEPs from LOWEST on), `ids.u16` [N, 1 + history,
1 + MAX_IDS] (how many, then the ids of the segment, then those of the segments before it) and `about.json`. A training
may read what is there while the rest is being made; another run with the same OUT adds to it.
"""

import argparse
import json
import os

import numpy as np
import torch

from ..common.recordings import Recordings
from .data import RECORD_BYTES, SEQUENCE_BYTES, parse
from .frames import targets_of
from .model import FRAMES, MAX_IDS, LogMel

# Of the features' logarithms: silence is -11.5, what is louder than 6 does not occur.
LOWEST, STEP = -14.0, 20.0 / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--folder", required=True, help="recordings with their MIDI")
    parser.add_argument("--renderer", required=True, help="the hitscribe-train program")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--stem", default="mix")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--silent", type=float, default=0.0, help="share of the parts that are silent")
    parser.add_argument("--history", type=int, default=0, help="segments before, of which the ids are kept")
    parser.add_argument("--bands", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "about.json"), "w") as file:
        json.dump({"bands": options.bands, "history": options.history}, file)
    front_end = LogMel(options.bands)

    def of_record(record):
        audio, frames, _ = parse(record)
        ids = np.frombuffer(record, np.uint8, offset=RECORD_BYTES - SEQUENCE_BYTES)
        return torch.from_numpy(audio), frames, ids

    more = ("--tokens", "mt3", "--history", str(options.history), "--silent", str(options.silent))
    size = RECORD_BYTES + options.history * SEQUENCE_BYTES
    made = 0
    # What the two files do not both have is written over.
    already = len(Segments(options.out))
    with open(os.path.join(options.out, "features.u8"), "ab") as features, open(os.path.join(options.out, "ids.u16"), "ab") as ids:
        features.truncate(already * FRAMES * options.bands)
        ids.truncate(already * (1 + options.history) * SEQUENCE_BYTES)
        for audio, frames, sequences in Recordings(options, options.seed, 0, size, of_record, more):
            logarithms = front_end(audio[None], torch.tensor([frames]))[0]
            steps = ((logarithms - LOWEST) / STEP).round().clamp(0, 255).byte()
            # Rows after the end of a recording are zero, which is no logarithm of silence.
            features.write(steps.numpy().tobytes())
            ids.write(sequences.tobytes())
            made += 1
            if made % 100 == 0:
                features.flush()
                ids.flush()
                print(f"{already + made} segments", flush=True)
            if made >= options.count:
                break


def logarithms(steps):
    """What the bytes of `features.u8` stand for."""
    return steps.float() * STEP + LOWEST


class Segments:
    """What is in the folder by now."""

    def __init__(self, folder):
        with open(os.path.join(folder, "about.json")) as file:
            about = json.load(file)
        self.history, bands = about["history"], about["bands"]
        paths = [os.path.join(folder, name) for name in ("features.u8", "ids.u16")]
        sizes = FRAMES * bands, (1 + self.history) * SEQUENCE_BYTES
        counts = [os.path.getsize(path) // size if os.path.exists(path) else 0 for path, size in zip(paths, sizes)]
        self.count = min(counts)
        if self.count:
            self.features = np.memmap(paths[0], np.uint8, "r", shape=(self.count, FRAMES, bands))
            self.ids = np.memmap(paths[1], np.uint16, "r", shape=(self.count, 1 + self.history, 1 + MAX_IDS))

    def __len__(self):
        return self.count


class Batches(torch.utils.data.IterableDataset):
    """An endless stream of segments in random order, those of one batch about equally long: features, targets of the
    frames, and what `finish` makes of the ids of the segment and of those before it."""

    def __init__(self, folders, batch, seed, programs, finish):
        self.folders, self.batch, self.seed, self.programs, self.finish = folders, batch, seed, programs, finish

    def __iter__(self):
        random = np.random.default_rng(self.seed)
        while True:
            stores = [store for store in map(Segments, self.folders) if len(store)]
            counts = np.array([len(store) for store in stores])
            picked = random.integers(counts.sum(), size=16 * self.batch)
            ends = counts.cumsum()
            places = [(stores[np.searchsorted(ends, p, "right")], p) for p in picked]
            places = [(store, p - (ends - counts)[stores.index(store)]) for store, p in places]
            places.sort(key=lambda place: place[0].ids[place[1], 0, 0])
            batches = [places[i : i + self.batch] for i in range(0, len(places), self.batch)]
            for index in random.permutation(len(batches)):
                for store, place in batches[index]:
                    yield self.example(store, place)

    def example(self, store, place):
        sequences = store.ids[place][:, 1:].astype(np.int64)
        targets = targets_of(sequences[0], self.programs)
        return (np.array(store.features[place]), *targets, *self.finish(sequences))


if __name__ == "__main__":
    main()
