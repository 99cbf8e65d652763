#!/usr/bin/env python3
"""Makes metrics.json: random note lists and their mir_eval scores.

    pip install mir_eval numpy; python make_metrics.py > metrics.json
"""
import json
import random

import mir_eval
import numpy as np


def arrays(notes):
    intervals = np.array([[n["start"], n["end"]] for n in notes]).reshape(-1, 2)
    return intervals, np.array([440.0 * 2 ** ((n["pitch"] - 69) / 12) for n in notes])


def make_notes(rng, count):
    notes = []
    for _ in range(count):
        start = round(rng.uniform(0, 4), 3)
        drum = rng.random() < 0.4
        notes.append({
            "start": start,
            "end": round(start + (0.05 if drum else rng.uniform(0.05, 1.0)), 3),
            "pitch": rng.choice([36, 38, 42] if drum else [40, 43, 45, 48, 60]),
            "program": 0 if drum else rng.choice([0, 33]),
            "is_drum": drum,
        })
    return notes


def disturb(rng, notes):
    result = []
    for note in notes:
        note = dict(note)
        if rng.random() < 0.15:
            continue
        shift = rng.choice([0.0, 0.01, 0.03, 0.05, 0.06])
        note["start"] = round(note["start"] + shift, 3)
        note["end"] = round(note["end"] + shift + rng.choice([0.0, 0.0, 0.08, 0.3]), 3)
        result.append(note)
        if rng.random() < 0.2:
            result.append(dict(note, start=round(note["start"] + 0.02, 3), end=round(note["end"] + 0.02, 3)))
    return result


def main():
    rng = random.Random(20)
    cases = []
    for count in (0, 3, 12, 40, 80, 120):
        reference = make_notes(rng, count)
        estimate = disturb(rng, reference)
        case = {"ref": reference, "est": estimate}
        for name, ratio in (("onset", None), ("onset_offset", 0.2)):
            scores = (0.0, 0.0, 0.0, 0.0)
            if reference and estimate:
                scores = mir_eval.transcription.precision_recall_f1_overlap(
                    *arrays(reference), *arrays(estimate), offset_ratio=ratio)
            case[name] = dict(zip(("precision", "recall", "f1", "avg_overlap"), map(float, scores)))
        cases.append(case)
    print(json.dumps({"cases": cases}))


main()
