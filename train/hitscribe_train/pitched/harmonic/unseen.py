"""What checkpoints make of segments that no training has seen: losses, notes, velocities, families.

    python -m hitscribe_train.pitched.harmonic.feed --ring UNSEEN --extra=--hold-out --seconds 16 --seed 99 --slots 64 \
        --first-fill 64 --uses 1e9 ...  (then stop it)
    python -m hitscribe_train.pitched.harmonic.unseen UNSEEN CHECKPOINT [CHECKPOINT ...] [--onset 0.3 ...]

Pools of the hold-out's songs, rendered with `hitscribe-train pool --hold-out`.
"""

import argparse

import mir_eval
import numpy as np
import torch

from .features import relative
from .model import FAMILIES, PAIR
from .pick import Rule, pick
from .ring import Ring
from .targets import UNKNOWN, family, labels, losses
from .transcribe import load, split

BATCH = 8


def hz(keys):
    return 440.0 * 2.0 ** ((np.asarray(keys) - 69.0) / 12.0)


def matches(truth, found, with_offset):
    """Pairs of rows of the two whose onset (50 ms) and key agree, and offset (50 ms, 20 %) if it is asked for."""
    if not (len(truth) and len(found)):
        return []
    return mir_eval.transcription.match_notes(
        truth[:, :2], hz(truth[:, 2]), found[:, :2], hz(found[:, 2]), offset_ratio=0.2 if with_offset else None
    )


class Scores:
    def __init__(self):
        self.counts = np.zeros(4)  # right, right with offset, found, asked for
        self.velocities, self.families, self.timing, self.lengths = [], [], [], []
        self.alone = [0, 0.0]  # notes and seconds where drums play alone

    def add(self, truth, found, seconds):
        if not len(truth):
            self.alone[0] += len(found)
            self.alone[1] += seconds
        # What began before the segment cannot be found.
        truth = truth[(truth[:, 0] >= 0.0) & (truth[:, 2] >= 21) & (truth[:, 2] <= 108)].copy()
        truth[:, 1] = np.minimum(np.maximum(truth[:, 1], truth[:, 0] + 0.02), seconds)
        pairs = matches(truth, found, False)
        self.counts += len(pairs), len(matches(truth, found, True)), len(found), len(truth)
        if len(pairs) > 10:
            a, b = truth[[i for i, _ in pairs]], found[[j for _, j in pairs]]
            self.timing.append(b[:, 0] - a[:, 0])
            self.lengths.append((b[:, 1] - b[:, 0]) / (a[:, 1] - a[:, 0]))
            if a[:, 3].std() > 0.01 and b[:, 3].std() > 0.0:
                self.velocities.append((np.corrcoef(a[:, 3], b[:, 3])[0, 1], a[:, 3].std() * 127, b[:, 3].std() * 127))
        self.families += [(family(truth[i, 4]), int(found[j, 4])) for i, j in pairs if family(truth[i, 4]) != UNKNOWN]

    def text(self):
        right, ends, found, asked = self.counts
        f = lambda n: 2.0 * n / max(found + asked, 1.0)
        timing, families = np.concatenate(self.timing or [np.zeros(1)]) * 1e3, np.array(self.families or [(0, 0)])
        velocity = np.mean(self.velocities or [(0, 0, 0)], axis=0)
        by_family = "  ".join(
            f"{name} {np.mean(families[families[:, 0] == i, 1] == i):.2f} ({(families[:, 0] == i).sum()})"
            for i, name in enumerate(FAMILIES)
            if (families[:, 0] == i).any()
        )
        return (
            f"onset F {f(right):.3f} (P {right / max(found, 1):.3f} R {right / max(asked, 1):.3f})  with offset {f(ends):.3f}"
            f"  velocity r {velocity[0]:.2f}, spread {velocity[1]:.1f} / {velocity[2]:.1f}"
            f"  length x {np.median(np.concatenate(self.lengths or [np.ones(1)])):.2f}"
            f"  timing {timing.mean():+.1f} ms, deviation {timing.std():.1f}"
            f"  drums alone {60.0 * self.alone[0] / max(self.alone[1], 1e-9):.1f} a minute of {self.alone[1] / 60.0:.1f}\n"
            f"family {np.mean(families[:, 0] == families[:, 1]):.3f}: {by_family}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ring")
    parser.add_argument("checkpoints", nargs="+")
    for name in ("onset", "sounding", "offset"):
        parser.add_argument(f"--{name}", type=float, nargs="+", default=[getattr(Rule, name)])
    options = parser.parse_args()
    torch.set_num_threads(1)
    ring = Ring(options.ring)
    frames = ring.frames // PAIR * PAIR
    rules = [Rule(a, b, c) for a in options.onset for b in options.sounding for c in options.offset]
    for path in options.checkpoints:
        net, rows, scores = load(path), [], [Scores() for _ in rules]
        for first in range(0, len(ring) - BATCH + 1, BATCH):
            powers, notes = zip(*(ring.read(slot) for slot in range(first, first + BATCH)))
            channels, scalars = relative(torch.from_numpy(np.stack([p[..., :frames] for p in powers]).astype(np.float32)))
            with torch.no_grad():
                outputs = net(channels, scalars)
                targets = torch.from_numpy(np.stack([labels(n, frames) for n in notes], axis=1))
                rows.append({name: value.item() for name, value in losses(outputs, targets).items()})
            for truth, values in zip(notes, split(outputs)):
                values = {name: value.numpy() for name, value in values.items()}
                for rule, score in zip(rules, scores):
                    score.add(np.array(truth, float), pick(values, rule), frames * 0.016)
        print(path, "  ".join(f"{name} {np.mean([row[name] for row in rows]):.4f}" for name in rows[0]), flush=True)
        for rule, score in zip(rules, scores):
            print(rule, score.text(), flush=True)


if __name__ == "__main__":
    main()
