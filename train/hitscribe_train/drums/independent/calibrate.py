"""Chooses the threshold of each class on rendered segments with kits and drummers that training has not seen.

    python -m hitscribe_train.drums.independent.calibrate CHECKPOINT OUT.json --renderer ... --bank ... [--pool ...]

For each class the threshold with the best F measure, hits matched within 30 ms. Classes that the
hold-out kits hardly play are calibrated on training kits too: the rendered mix takes both.
"""

import argparse
import json

import numpy as np
import torch

from .data import FRAMES, INAUDIBLE_DB, MAX_HITS, SEGMENT_SAMPLES, parse, render
from .export import load
from .model import CLASSES, FUTURE_FRAMES, HOP, SAMPLE_RATE

FIRST_FRAME, LAST_FRAME = 64, FRAMES - FUTURE_FRAMES
TOLERANCE_FRAMES = 0.030 * SAMPLE_RATE / HOP
GRID = np.round(np.arange(0.1, 0.91, 0.05), 2)
FEWEST_HITS = 40  # below this a class keeps the threshold of all classes together


def peaks(probability, reach=2):
    """[(frame, probability)] of the local maxima above the lowest threshold, at least `reach` apart."""
    found = []
    for frame in np.flatnonzero(probability >= GRID[0]):
        low, high = max(frame - reach, 0), frame + reach + 1
        if probability[frame] >= probability[low:high].max() and not (found and frame - found[-1][0] <= reach):
            found.append((frame, probability[frame]))
    return found


def matches(found, hits, inaudible):
    """Of peaks and hits of one class in one segment: per peak (probability, is a hit), and the number of hits.

    Peaks at inaudible hits count neither way.
    """
    free = list(hits)
    rows = []
    for frame, p in sorted(found, key=lambda f: -f[1]):
        near = [h for h in free if abs(h - frame) <= TOLERANCE_FRAMES]
        if near:
            free.remove(min(near, key=lambda h: abs(h - frame)))
            rows.append((p, True))
        elif not any(abs(h - frame) <= TOLERANCE_FRAMES + 1 for h in inaudible):
            rows.append((p, False))
    return rows, len(hits)


@torch.no_grad()
def judge(net, records):
    """Per class: the peaks with their verdicts, and the number of hits."""
    rows, totals = [[] for _ in CLASSES], np.zeros(len(CLASSES), int)
    for record in records:
        audio = torch.from_numpy(parse(record)[0])[None]
        probability = torch.sigmoid(net(audio)[0])[0].numpy()
        count = int(np.frombuffer(record, "<u4", 1, SEGMENT_SAMPLES * 2)[0])
        table = np.frombuffer(record, "<f4", MAX_HITS * 4, SEGMENT_SAMPLES * 2 + 4).reshape(-1, 4)[:count]
        for c in range(len(CLASSES)):
            own = table[table[:, 1] == c]
            frames = own[:, 0] * SAMPLE_RATE / HOP
            inside = (frames >= FIRST_FRAME) & (frames < LAST_FRAME)
            audible = own[:, 3] >= INAUDIBLE_DB
            found = [f for f in peaks(probability[c]) if FIRST_FRAME <= f[0] < LAST_FRAME]
            r, n = matches(found, frames[inside & audible], frames[~inside | ~audible])
            rows[c] += r
            totals[c] += n
    return rows, totals


def f_measures(rows, total):
    """F for each threshold of the grid."""
    p = np.array([r[0] for r in rows])
    good = np.array([r[1] for r in rows], bool)
    return np.array([2 * (good & (p >= t)).sum() / max((p >= t).sum() + total, 1) for t in GRID])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--renderer", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--pool")
    parser.add_argument("--segments", type=int, default=300, help="of each kind")
    options = parser.parse_args()
    net = load(options.checkpoint)
    torch.set_num_threads(1)
    rows, totals = [[] for _ in CLASSES], np.zeros(len(CLASSES), int)
    report = {}
    for hold_out in (True, False):
        records = render(options.renderer, options.bank, options.pool, 777, 10**12, options.segments, hold_out)
        r, n = judge(net, records)
        report["hold-out" if hold_out else "training kits"] = (r, n)
        for c in range(len(CLASSES)):
            rows[c] += r[c]
        totals += n
    together = f_measures([x for r in rows for x in r], totals.sum())
    common = float(GRID[together.argmax()])
    thresholds = {}
    for c, name in enumerate(CLASSES):
        f = f_measures(rows[c], totals[c])
        thresholds[name] = float(GRID[f.argmax()]) if totals[c] >= FEWEST_HITS else common
        line = [f"{kind} F {f_measures(r[c], n[c])[GRID.searchsorted(thresholds[name])]:.3f} of {n[c]}" for kind, (r, n) in report.items()]
        print(f"{name:12s} threshold {thresholds[name]:.2f}   " + "   ".join(line))
    for kind, (r, n) in report.items():
        at = [[(p >= thresholds[CLASSES[c]], good) for p, good in r[c]] for c in range(len(CLASSES))]
        hits = sum(1 for rows_ in at for above, good in rows_ if above and good)
        said = sum(1 for rows_ in at for above, _ in rows_ if above)
        print(f"{kind}: micro F {2 * hits / max(said + n.sum(), 1):.4f} over {n.sum()} hits")
    with open(options.out, "w") as file:
        json.dump({"thresholds": thresholds}, file, indent=2)


if __name__ == "__main__":
    main()
