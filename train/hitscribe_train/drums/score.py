"""Scores of hits against references: F by class and grouping."""

import numpy as np

from .classes import CLASSES
from .targets import INAUDIBLE_DB

TOLERANCE_SECONDS = 0.05
MERGE_SECONDS = 0.010

TOMS = ("high_tom", "mid_tom", "low_tom", "floor_tom")
HATS = ("closed_hat", "pedal_hat", "open_hat")
CRASHES = ("crash", "china", "splash")
FIVE = {
    "kick": ("kick",),
    "snare": ("snare", "side_stick"),
    "toms": TOMS,
    "hats": HATS,
    "cymbals": CRASHES + ("ride", "ride_bell"),
}
EIGHT = {
    "kick": ("kick",),
    "snare": ("snare", "side_stick", "clap"),
    "toms": TOMS,
    "hats": HATS + ("tambourine",),
    "crashes": CRASHES,
    "ride": ("ride",),
    "bell": ("ride_bell", "cowbell"),
    "clave": ("woodblock",),
}
ALL = {name: (name,) for name in CLASSES if name != "other_percussion"}


def of_group(hits, members):
    """Times of the hits of some classes; different classes within 10 ms are one."""
    index = {CLASSES.index(m) for m in members}
    times, last = [], None
    for seconds, c, *_ in hits[np.isin(hits[:, 1], list(index))]:
        if last and seconds - last[0] <= MERGE_SECONDS and last[1] != c:
            continue
        times.append(seconds)
        last = (seconds, c)
    return np.array(times)


def matched(reference, estimate, tolerance=TOLERANCE_SECONDS):
    """Which of `estimate` match one of `reference` each; both in order of time."""
    result, r = np.zeros(len(estimate), bool), 0
    for e, time in enumerate(estimate):
        while r < len(reference) and reference[r] < time - tolerance:
            r += 1
        if r < len(reference) and reference[r] <= time + tolerance:
            result[e] = True
            r += 1
    return result


def counts(reference, estimate, grouping, tolerance=TOLERANCE_SECONDS):
    """{group: (matched, estimated, referred)}. `reference`: seconds, class, velocity, audibility in dB, in order of time;
    what is hidden by other sounds counts neither way."""
    result = {}
    for name, members in grouping.items():
        audible = of_group(reference[reference[:, 3] >= INAUDIBLE_DB], members)
        hidden = of_group(reference[reference[:, 3] < INAUDIBLE_DB], members)
        times = of_group(estimate, members)
        right = matched(audible, times, tolerance)
        excused = matched(hidden, times[~right], tolerance)
        result[name] = (int(right.sum()), len(times) - int(excused.sum()), len(audible))
    return result


def f_measure(tp, estimated, referred):
    return 2 * tp / (estimated + referred) if estimated + referred else 1.0


def total(rows):
    """Sum of many (matched, estimated, referred)."""
    return tuple(int(x) for x in np.array(list(rows)).reshape(-1, 3).sum(0))
