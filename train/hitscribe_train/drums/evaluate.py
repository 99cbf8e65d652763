"""Scores a checkpoint on the validation grid:

    python -m hitscribe_train.drums.evaluate CHECKPOINT GRID/tune [--picking PICKING.json] [--json OUT.json] [--pred DIR]

GRID/tune/SCENARIO/NAME.flac with NAME.csv beside it: rows of seconds, class index, velocity 0..1, audibility in dB.
Prints F by scenario (5 classes, 8, all), the onsets written for each one played, false hits a minute where nothing is
played, F by class, the mean of the three worst scenarios, and the rank correlation of velocities. --pred writes the hits
as DIR/SCENARIO/NAME.csv (seconds, class index, velocity 0..1) for `hitscribe-train grid-score`.
"""

import argparse
import json
import os
from glob import glob

import numpy as np
import torch
from scipy.stats import spearmanr

from . import score
from .classes import CLASSES, GROUPS
from .pick import Rule
from .transcribe import hits, load, read_audio, run

GROUPINGS = {"5": score.FIVE, "8": score.EIGHT, "all": score.ALL}
WORST = 3


def references(path):
    """Rows of seconds, class, velocity, audibility in dB, in order of time."""
    with open(path) as file:
        lines = [line.strip().split(",")[:4] for line in file if line[:1].isdigit()]
    rows = np.array([[float(v) for v in line] for line in lines]).reshape(-1, 4)
    return rows[np.argsort(rows[:, 0], kind="stable")]


def tracks(folder):
    """{scenario: [(audio path, references)]}"""
    found = {}
    for path in sorted(glob(os.path.join(folder, "*", "*.csv"))):
        audio = next((path[:-4] + e for e in (".flac", ".wav") if os.path.exists(path[:-4] + e)), None)
        if audio:
            found.setdefault(os.path.basename(os.path.dirname(path)), []).append((audio, references(path)))
    if not found:
        raise SystemExit(f"{folder}: no SCENARIO/NAME.csv with audio beside it")
    return found


def transcribed(net, scenarios):
    """{scenario: [(Frames, references, seconds, name)]}"""
    result = {}
    for scenario, members in scenarios.items():
        for path, reference in members:
            audio = read_audio(path)
            name = os.path.splitext(os.path.basename(path))[0]
            result.setdefault(scenario, []).append((run(net, audio), reference, len(audio) / 32_000, name))
    return result


def write_predictions(result, rule, folder):
    for scenario, members in result.items():
        os.makedirs(os.path.join(folder, scenario), exist_ok=True)
        for frames, _, _, name in members:
            with open(os.path.join(folder, scenario, name + ".csv"), "w") as file:
                for seconds, c, _, velocity in hits(frames, rule):
                    file.write(f"{seconds:.5f},{int(c)},{velocity:.4f}\n")


def velocity_pairs(reference, estimate):
    """(class, played, written) of hits of one class within 30 ms."""
    pairs = []
    for c in range(len(CLASSES)):
        own = reference[(reference[:, 1] == c) & (reference[:, 3] >= score.INAUDIBLE_DB)]
        for seconds, _, _, v in estimate[estimate[:, 1] == c]:
            near = np.flatnonzero(np.abs(own[:, 0] - seconds) < 0.03)
            if len(near):
                pairs.append((c, own[near[0], 2], v))
    return pairs


def rank_correlation(pairs):
    """Of velocities within the classes that have enough strokes, weighted by them; None if none has."""
    pairs, values = np.array(pairs).reshape(-1, 3), []
    for c in np.unique(pairs[:, 0]):
        own = pairs[pairs[:, 0] == c]
        if len(own) >= 12 and np.ptp(own[:, 1]) > 0 and np.ptp(own[:, 2]) > 0:
            values.append((len(own), spearmanr(own[:, 1], own[:, 2])[0]))
    return float(np.average([v for _, v in values], weights=[n for n, _ in values])) if values else None


def judged(result, rule):
    """The report: {"scenarios": {name: {...}}, "micro": {...}, "worst": {...}, "classes": {...}}"""
    report, sums, correlations = {"scenarios": {}}, {g: {} for g in GROUPINGS}, []
    for scenario, members in result.items():
        rows, written, played, seconds = {g: {} for g in GROUPINGS}, 0, 0, 0.0
        for frames, reference, length, _ in members:
            found = hits(frames, rule)
            for g, grouping in GROUPINGS.items():
                for name, triple in score.counts(reference, found, grouping).items():
                    rows[g].setdefault(name, []).append(triple)
                    sums[g].setdefault(name, []).append(triple)
            everything = score.counts(reference, found, score.ALL).values()
            written, played = written + sum(t[1] for t in everything), played + sum(t[2] for t in everything)
            seconds += length
            value = rank_correlation(velocity_pairs(reference, found))
            correlations += [] if value is None else [value]
        entry = {"seconds": round(seconds, 1), "played": played, "written": written}
        entry["kit_hits_a_minute"] = round(score.total(t for v in rows["5"].values() for t in v)[1] / seconds * 60, 2)
        for g in GROUPINGS:
            entry[g] = score.f_measure(*score.total(t for v in rows[g].values() for t in v))
        entry["classes"] = {n: score.f_measure(*score.total(v)) for n, v in rows["8"].items() if score.total(v)[2]}
        report["scenarios"][scenario] = entry
    judged_scenarios = [e for e in report["scenarios"].values() if e["played"] > 20]
    report["micro"] = {g: score.f_measure(*score.total(t for v in s.values() for t in v)) for g, s in sums.items()}
    report["worst"] = {g: float(np.mean(sorted(e[g] for e in judged_scenarios)[:WORST])) for g in GROUPINGS}
    report["classes"] = {n: (*score.total(v), score.f_measure(*score.total(v))) for n, v in sums["all"].items()}
    report["velocity"] = float(np.mean(correlations)) if correlations else None
    return report


def show(report):
    print(f"{'scenario':26s} {'F 5':>6s} {'F 8':>6s} {'F all':>6s} {'wr/pl':>6s} {'kit/min':>8s}  by class (8)")
    for name, e in report["scenarios"].items():
        classes = "  ".join(f"{c} {f:.2f}" for c, f in e["classes"].items())
        ratio = f"{e['written'] / e['played']:6.2f}" if e["played"] else "     -"
        print(f"{name:26s} {e['5']:6.3f} {e['8']:6.3f} {e['all']:6.3f} {ratio} {e['kit_hits_a_minute']:8.1f}  {classes}")
    print("micro " + "  ".join(f"{g}: {f:.4f}" for g, f in report["micro"].items()))
    print("worst three " + "  ".join(f"{g}: {f:.4f}" for g, f in report["worst"].items()))
    print("velocity, rank correlation within classes:", report["velocity"])
    for name, (tp, estimated, referred, f) in report["classes"].items():
        if referred or estimated:
            precision, recall = tp / max(estimated, 1), tp / max(referred, 1)
            print(f"  {name:18s} F {f:.3f}  precision {precision:.3f}  recall {recall:.3f}  of {referred}")


def read_rule(path):
    """Thresholds from {"classes": {name: t}, "groups": [t, t], "slack": s}; what is missing is the default."""
    if not path:
        return Rule()
    with open(path) as file:
        values = json.load(file)
    classes, default = values.get("classes", {}), Rule()
    return Rule(
        tuple(classes.get(name, d) for name, d in zip(CLASSES, default.classes)),
        tuple(values.get("groups", default.groups))[: len(GROUPS)],
        values.get("slack", default.slack),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("grid")
    parser.add_argument("--picking")
    parser.add_argument("--json")
    parser.add_argument("--pred", help="folder for the hits")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rule = read_rule(options.picking)
    result = transcribed(load(options.checkpoint), tracks(options.grid))
    report = judged(result, rule)
    show(report)
    if options.pred:
        write_predictions(result, rule, options.pred)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
