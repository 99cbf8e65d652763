"""What the network should say about a segment, and how wrong it is."""

import numpy as np
import torch
import torch.nn.functional as F

from ..common.front_end import SAMPLE_RATE
from .classes import CLASSES, GROUPS, MAX_STROKES
from .features import HOP
from .model import FUTURE_FRAMES

# Hits that other sounds drown by more than this are neither asked for nor forbidden.
INAUDIBLE_DB = -15.0
IGNORED_FRAMES = 4  # on each side of an inaudible hit
# A stroke before the first of these is half outside; the last ones lack what comes after.
FIRST_FRAME, LAST_FRAMES = 6, FUTURE_FRAMES
POSITIVE_WEIGHT = 2.0
LOSS_WEIGHTS = {"count": 1.0, "class": 1.0, "velocity": 2.0, "shift": 0.5}


def labels(hits, frames):
    """Targets of one segment, each [classes, frames]: strokes, ignored, hit, velocity, shift.

    `hits`: rows of seconds, class, velocity 0..1, audibility in dB.
    """
    strokes, ignored, hit, velocity, shift = np.zeros((5, len(CLASSES), frames), np.float32)
    hits = hits[hits[:, 1] < len(CLASSES)]
    audible = hits[:, 3] >= INAUDIBLE_DB
    for seconds, c, _, _ in hits[~audible]:
        frame = round(seconds * SAMPLE_RATE / HOP)
        ignored[int(c), max(frame - IGNORED_FRAMES, 0) : max(frame + IGNORED_FRAMES + 1, 0)] = 1.0
    for seconds, c, v, _ in hits[audible]:
        c, position = int(c), seconds * SAMPLE_RATE / HOP
        nearest = round(position)
        for frame in range(max(nearest - 1, 0), min(nearest + 2, frames)):
            # 1 up to half a frame away, 0 from one and a half.
            target = min(max(1.5 - abs(frame - position), 0.0), 1.0)
            strokes[c, frame] = max(strokes[c, frame], target)
        if 0 <= nearest < frames:
            velocity[c, nearest] = max(velocity[c, nearest], v)
            shift[c, nearest] = position - nearest
            hit[c, nearest] = 1.0
    ignored[strokes > 0] = 0.0
    return strokes, ignored, hit, velocity, shift


def losses(outputs, targets):
    """The parts of the loss by name. `targets`: as from `labels`, each [batch, classes, frames]."""
    frames = outputs["classes"].shape[-1]
    inside = slice(FIRST_FRAME, frames - LAST_FRAMES)
    strokes, ignored, hit, velocity, shift = (t[..., inside] for t in targets)
    outputs = {name: value[..., inside] for name, value in outputs.items()}
    hits = hit.sum() + 20.0
    count_loss = class_loss = 0.0
    for group, members in enumerate(GROUPS):
        index = list(members)
        own, unjudged = strokes[:, index], ignored[:, index]
        total, doubtful = own.sum(1), unjudged.amax(1) > 0
        for k in range(MAX_STROKES):
            target = (total - k).clamp(0.0, 1.0)
            weight = torch.where(target > 0, POSITIVE_WEIGHT, 1.0)
            weight = torch.where(doubtful & (target < 1), 0.0, weight)
            logit = outputs["counts"][:, group * MAX_STROKES + k]
            count_loss = count_loss + (F.binary_cross_entropy_with_logits(logit, target, reduction="none") * weight).sum()
        # Among the classes that are judged; shares of the strokes.
        logits = outputs["classes"][:, index] - 30.0 * unjudged
        share = own / total[:, None].clamp(min=1e-3)
        # Each stroke counts once, its neighbouring frames together as much as itself.
        class_loss = class_loss - (F.log_softmax(logits, dim=1) * share * total[:, None]).sum()
    velocity_loss = ((torch.sigmoid(outputs["velocity"]) - velocity).square() * hit).sum()
    shift_loss = (F.smooth_l1_loss(outputs["shift"], shift, reduction="none", beta=0.1) * hit).sum()
    return {
        "count": count_loss / hits,
        "class": 0.5 * class_loss / hits,
        "velocity": velocity_loss / hits,
        "shift": shift_loss / hits,
    }
