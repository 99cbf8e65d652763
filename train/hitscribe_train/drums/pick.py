"""From the network's frames to hits. The rule is part of the specification (train/NETWORK.md)."""

from dataclasses import dataclass

import numpy as np

from .classes import CLASSES, GROUPS

REACH = 2  # frames: a peak is the largest within so many on each side
FRAME_SECONDS = 0.008
MOST_SHIFT = 1.0  # frames


@dataclass
class Rule:
    """Thresholds: of each class on its own activation, of each group on the sum of its classes."""

    classes: tuple = (0.5,) * len(CLASSES)
    groups: tuple = (0.5,) * len(GROUPS)
    # Strokes that the group's sum must reach for a further hit beside k others within REACH: k + 1 - slack.
    slack: float = 0.6


def is_peak(values, floor=0.05):
    """Where a row is the largest within REACH frames; the first of equals. [rows, frames] -> bool"""
    frames = values.shape[-1]
    padded = np.pad(values, ((0, 0), (REACH, REACH)), constant_values=-1.0)
    result = values > floor
    for d in range(1, REACH + 1):
        result &= values > padded[:, REACH - d : REACH - d + frames]
        result &= values >= padded[:, REACH + d : REACH + d + frames]
    return result


def pick(activations, shift, rule=Rule()):
    """Hits of one passage as rows of seconds, class, activation, frame; in order of time.

    `activations`, `shift`: [classes, frames].
    """
    hits = []
    for group, members in enumerate(GROUPS):
        index = np.array(members)
        own = activations[index]
        total = own.sum(0)
        peaks = is_peak(own)
        thresholds = np.array(rule.classes)[index]
        margin = own / thresholds[:, None]
        rows, frames = np.nonzero(peaks & (margin >= 1.0))
        accepted = []  # (frame, row)
        for order in np.argsort(-margin[rows, frames], kind="stable"):
            row, frame = int(rows[order]), int(frames[order])
            near = [f for f, _ in accepted if abs(f - frame) <= REACH]
            low, high = max(frame - REACH, 0), frame + REACH + 1
            if near and total[low:high].max() < len(near) + 1 - rule.slack:
                continue
            accepted.append((frame, row))
        # Strokes that no class can claim alone go to the likeliest.
        taken = np.zeros(own.shape[1], bool)
        for frame, _ in accepted:
            taken[max(frame - REACH - 1, 0) : frame + REACH + 2] = True
        for frame in np.flatnonzero(is_peak(total[None])[0] & (total >= rule.groups[group]) & ~taken):
            low, high = max(frame - 1, 0), frame + 2
            accepted.append((int(frame), int((own[:, low:high].sum(1) / thresholds).argmax())))
        for frame, row in accepted:
            c = int(index[row])
            moved = min(max(float(shift[c, frame]), -MOST_SHIFT), MOST_SHIFT)
            hits.append((max((frame + moved) * FRAME_SECONDS, 0.0), c, float(own[row, frame]), frame))
    return np.array(sorted(hits), np.float64).reshape(-1, 4)
