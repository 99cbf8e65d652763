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
    # Strokes that the group's sum must reach for a further hit beside k stronger ones within REACH: k + 1 - slack.
    slack: float = 0.6


def logit(p):
    p = np.clip(p, 1e-6, 1.0 - 1e-6)
    return np.log(p / (1.0 - p))


def is_peak(values):
    """Where a row is the largest within REACH frames; the first of equals. [rows, frames] -> bool"""
    frames = values.shape[-1]
    padded = np.pad(values, ((0, 0), (REACH, REACH)), constant_values=-1.0)
    result = np.ones(values.shape, bool)
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
        thresholds = np.array(rule.classes)[index]
        margin = logit(own) - logit(thresholds)[:, None]
        rows, frames = np.nonzero(is_peak(own) & (margin >= 0.0))
        accepted = []  # (frame, row, confidence)
        margins = margin[rows, frames]
        for row, frame, m in zip(rows, frames, margins):
            near = np.abs(frames - frame) <= REACH
            # Of equal ones the earlier, then the first class.
            earlier = (frames < frame) | ((frames == frame) & (rows < row))
            stronger = int((near & ((margins > m) | ((margins == m) & earlier))).sum())
            low, high = max(frame - REACH, 0), frame + REACH + 1
            if not stronger or total[low:high].max() >= stronger + 1 - rule.slack:
                accepted.append((int(frame), int(row), float(own[row, frame])))
        # Strokes that no class can claim alone go to the likeliest.
        claimed = np.zeros(own.shape[1], bool)
        for frame in frames:
            claimed[max(frame - REACH - 1, 0) : frame + REACH + 2] = True
        for frame in np.flatnonzero(is_peak(total[None])[0] & (total >= rule.groups[group]) & ~claimed):
            low, high = max(frame - 1, 0), frame + 2
            row = int((own[:, low:high].sum(1) / thresholds).argmax())
            accepted.append((int(frame), row, min(float(total[frame]), 1.0)))
        for frame, row, confidence in accepted:
            c = int(index[row])
            moved = min(max(float(shift[c, frame]), -MOST_SHIFT), MOST_SHIFT)
            hits.append((max((frame + moved) * FRAME_SECONDS, 0.0), c, confidence, frame))
    return np.array(sorted(hits), np.float64).reshape(-1, 4)
