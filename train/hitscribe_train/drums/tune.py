"""Chooses the picking thresholds on the tuning half of the validation grid:

    python -m hitscribe_train.drums.tune CHECKPOINT GRID/tune OUT.json

Maximises the mean of the micro F over all scenarios (5 and all classes) and of the three worst (5 classes), one
threshold at a time over a coarse set of values, starting from .5 everywhere; a change must gain more than chance would
(--gain). Few values and few parameters: toms share one, and so do the hand percussion and the rare metals.
"""

import argparse
import json
from dataclasses import replace

import torch

from .classes import CLASSES
from .evaluate import judged, show, tracks, transcribed
from .pick import Rule
from .transcribe import load

VALUES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
SHARED = (
    ("kick",), ("snare",), ("side_stick",), ("clap",), ("high_tom", "mid_tom", "low_tom", "floor_tom"),
    ("closed_hat",), ("pedal_hat",), ("open_hat",), ("crash", "china", "splash"), ("ride",), ("ride_bell", "cowbell"),
    ("tambourine", "shaker", "triangle", "cabasa_guiro"),
    ("high_conga", "low_conga", "timbale", "woodblock", "other_percussion"),
)  # fmt: skip


def goal(report):
    return (report["micro"]["5"] + report["micro"]["all"] + 2 * report["worst"]["5"]) / 4


def parameters():
    """Functions (rule, value) -> rule with one parameter changed, and the values to try."""

    def set_classes(names):
        index = {CLASSES.index(name) for name in names}
        return lambda rule, value: replace(rule, classes=tuple(value if i in index else t for i, t in enumerate(rule.classes)))

    def set_group(group):
        return lambda rule, value: replace(rule, groups=tuple(value if g == group else t for g, t in enumerate(rule.groups)))

    yield from ((set_classes(names), VALUES) for names in SHARED)
    yield from ((set_group(group), VALUES) for group in range(len(Rule().groups)))
    yield lambda rule, value: replace(rule, slack=value), (0.4, 0.5, 0.6, 0.7)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("grid")
    parser.add_argument("out")
    parser.add_argument("--gain", type=float, default=0.0005, help="that a change must bring")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = transcribed(load(options.checkpoint), tracks(options.grid))
    rule = Rule()
    best = goal(judged(result, rule))
    print(f"start {best:.4f}", flush=True)
    for _ in range(options.rounds):
        before = best
        for change, values in parameters():
            tried = [change(rule, value) for value in values]
            scores = [goal(judged(result, candidate)) for candidate in tried]
            if max(scores) > best + options.gain:
                best, rule = max(scores), tried[scores.index(max(scores))]
                print(f"{best:.4f} {rule}", flush=True)
        if best == before:
            break
    show(judged(result, rule))
    with open(options.out, "w") as file:
        json.dump({"classes": dict(zip(CLASSES, rule.classes)), "groups": rule.groups, "slack": rule.slack}, file, indent=1)


if __name__ == "__main__":
    main()
