"""What the network should say about a segment, and how wrong it is: plain cross-entropies over every key and frame."""

import numpy as np
import torch
import torch.nn.functional as F

from ...common.front_end import SAMPLE_RATE
from .features import HOP, KEYS, LOWEST_KEY
from .model import FAMILIES, FUTURE_FRAMES, PAIR

# A note before the first of these is half outside; the last ones lack what comes after.
FIRST_FRAME, LAST_FRAMES = 6, FUTURE_FRAMES
LOSS_WEIGHTS = {"onset": 1.0, "sounding": 0.3, "offset": 0.3, "velocity": 120.0, "shift": 0.5, "family": 1.0}
# How loud a part is as a whole is left to the mix: of its mean error so much counts.
MEAN_VELOCITY = 0.1
TARGETS = ("onset", "sounding", "offset", "hit", "velocity", "shift", "family")

INVENTED = 128  # programs from here on: nobody knows the family
UNKNOWN = -1.0
BY_GROUP = ("keys", "keys", "keys", "guitar", "bass", "strings", "strings", "winds", "winds", "winds", "synth", "synth", "synth")
# Programs whose family is not that of their group of eight.
EXCEPTIONS = {
    52: "voice", 53: "voice", 54: "voice", 55: None, 85: "voice", 91: "voice", 104: "guitar", 105: "guitar",
    106: "guitar", 107: "guitar", 108: "keys", 109: "winds", 110: "strings", 111: "winds",
}  # fmt: skip


def family(program):
    """Index of the family of a program, `UNKNOWN` where there is none."""
    program = int(program)
    name = EXCEPTIONS.get(program, BY_GROUP[program // 8] if program < 8 * len(BY_GROUP) else None)
    return UNKNOWN if name is None else float(FAMILIES.index(name))


def labels(notes, frames):
    """Targets of one segment, [TARGETS, keys, frames]. `notes`: rows of onset, offset, key, velocity, program."""
    result = np.zeros((len(TARGETS), KEYS, frames), np.float32)
    onset, sounding, offset, hit, velocity, shift, families = result
    families[:] = UNKNOWN
    for start, end, key, strength, program in notes:
        key = int(key) - LOWEST_KEY
        if not 0 <= key < KEYS:
            continue
        position, last = start * SAMPLE_RATE / HOP, end * SAMPLE_RATE / HOP
        nearest = round(position)
        held = slice(max(nearest, 0), max(round(last), 0))
        sounding[key, held] = 1.0
        families[key, held] = family(program)
        for values, centre in ((onset, position), (offset, last)):
            for frame in range(max(round(centre) - 1, 0), min(round(centre) + 2, frames)):
                # 1 up to half a frame away, 0 from one and a half.
                values[key, frame] = max(values[key, frame], min(max(1.5 - abs(frame - centre), 0.0), 1.0))
        for frame in range(max(nearest - 1, 0), min(nearest + 2, frames)):
            # A peak beside the nearest frame is asked for them, too.
            if frame == nearest or hit[key, frame] == 0.0:
                hit[key, frame] = 1.0 if frame == nearest else 0.3
                velocity[key, frame], shift[key, frame] = strength, position - frame
    return result


def velocity_loss(logit, target, hit, families):
    """Squared errors of velocities: those around the mean error of each family of a segment, a tenth of the mean's."""
    error, total = torch.sigmoid(logit) - target, 0.0
    for index in range(-1, len(FAMILIES)):
        weight = torch.where(families == index, hit, 0.0)
        count = weight.sum((1, 2))
        mean = (error * weight).sum((1, 2)) / count.clamp(min=1.0)
        around = ((error - mean[:, None, None]).square() * weight).sum()
        total = total + around + MEAN_VELOCITY * (mean.square() * count).sum()
    return total


def losses(outputs, targets):
    """The parts of the loss by name. `targets`: as from `labels`, each [batch, keys, frames]."""
    frames = outputs["onset"].shape[-1]
    first = FIRST_FRAME // PAIR * PAIR
    last = (frames - LAST_FRAMES) // PAIR * PAIR
    inside = slice(first, last)
    onset, sounding, offset, hit, velocity, shift, families = (t[..., inside] for t in targets)
    family_logits = outputs["family"][..., first // PAIR : last // PAIR]
    out = {name: outputs[name][..., inside] for name in ("onset", "sounding", "offset", "velocity", "shift")}
    hits = hit.sum() + 20.0
    entropy = lambda logit, target: F.binary_cross_entropy_with_logits(logit, target, reduction="sum")
    of_steps = families[..., ::PAIR].long()
    known = of_steps >= 0
    family_loss = F.cross_entropy(family_logits.permute(0, 2, 3, 1)[known], of_steps[known], reduction="sum")
    return {
        "onset": entropy(out["onset"], onset) / hits,
        "sounding": entropy(out["sounding"], sounding) / (sounding.sum() + 400.0) * 4.0,
        "offset": entropy(out["offset"], offset) / hits,
        "velocity": velocity_loss(out["velocity"], velocity, hit, families) / hits,
        "shift": (F.smooth_l1_loss(out["shift"], shift, reduction="none", beta=0.1) * hit).sum() / hits,
        "family": family_loss / (known.sum() + 20.0),
    }
