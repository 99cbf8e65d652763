"""Onsets and sounding keys frame by frame, as a second task of the encoder: without it the decoder has nothing to attend to for
most of a short training. The head is left out of what is exported."""

import numpy as np
import torch
import torch.nn.functional as F

from .model import FRAMES, PAD, TIE, linear
from .shuffle import DRUMS, PITCHES, PROGRAMS, SHIFTS, VELOCITIES

# Frames of 8 ms for each of the targets.
ONSET_FRAMES, SOUNDING_FRAMES = 2, 4
STEP_FRAMES = 1.25  # a shift by one
LOWEST_KEY, KEYS = 24, 76
LOWEST_DRUM, DRUM_KEYS = 35, 47


def targets_of(ids, programs):
    """Of a sequence: in which frames anything begins [FRAMES, programs + drums], 2 there and 1 beside it; onsets
    [FRAMES / 2, programs x KEYS + DRUM_KEYS] and sounding keys [FRAMES / 4, programs x KEYS]. Notes of other programs
    and keys are left out."""
    begun = np.zeros((FRAMES, len(programs) + 1), np.uint8)
    pitched = len(programs) * KEYS
    onsets = np.zeros((FRAMES // ONSET_FRAMES, pitched + DRUM_KEYS), np.uint8)
    sounding = np.zeros((FRAMES // SOUNDING_FRAMES, pitched), np.uint8)
    places = {PROGRAMS.start + program: place * KEYS for place, program in enumerate(programs)}
    first, in_tie, is_on, step, active = None, True, False, 0, {}

    def end(column):
        start = active.pop(column, None)
        if start is not None:
            first, last = (int(at * STEP_FRAMES) // SOUNDING_FRAMES for at in (start, step))
            sounding[first : last + 1, column] = 1

    def begin(column):
        frame = min(int(step * STEP_FRAMES), FRAMES - 1)
        onsets[frame // ONSET_FRAMES, column] = 1
        near = begun[max(frame - 1, 0) : frame + 2, min(column // KEYS, len(programs))]
        np.maximum(near, 1, out=near)
        begun[frame, min(column // KEYS, len(programs))] = 2

    for token in ids.tolist():
        if token == PAD:
            break
        if token in SHIFTS:
            step = token - SHIFTS.start
        elif token in PROGRAMS:
            first = places.get(token)
        elif token in VELOCITIES:
            is_on = token != VELOCITIES.start
        elif token == TIE:
            in_tie = False
        elif token in PITCHES and first is not None and 0 <= token - PITCHES.start - LOWEST_KEY < KEYS:
            column = first + token - PITCHES.start - LOWEST_KEY
            end(column)
            if in_tie:
                active[column] = 0
            elif is_on:
                active[column] = step
                begin(column)
        elif token in DRUMS and 0 <= token - DRUMS.start - LOWEST_DRUM < DRUM_KEYS:
            begin(pitched + token - DRUMS.start - LOWEST_DRUM)
    step = FRAMES / STEP_FRAMES
    for column in list(active):
        end(column)
    return begun, onsets, sounding


class FrameHead(torch.nn.Module):
    def __init__(self, config, programs):
        super().__init__()
        self.begun = linear(config.width, len(programs) + 1)
        self.onsets = linear(config.width, len(programs) * KEYS + DRUM_KEYS)
        self.sounding = linear(config.width, len(programs) * KEYS)
        # Most of it is silent.
        self.biases = torch.nn.Parameter(torch.tensor([-3.0, -6.0, -3.5]))

    def forward(self, encoded):
        """Logits of the targets, of [batch, FRAMES, width]."""
        begun, onsets, sounding = self.biases
        return (
            self.begun(encoded) + begun,
            self.onsets(encoded[:, ::ONSET_FRAMES]) + onsets,
            self.sounding(encoded[:, ::SOUNDING_FRAMES]) + sounding,
        )

    def losses(self, encoded, begun, onsets, sounding):
        """Cross-entropies, summed over keys, mean over frames."""
        of = lambda logits, wanted: F.binary_cross_entropy_with_logits(
            logits.float(), wanted.float(), reduction="sum"
        ) / (logits.shape[0] * logits.shape[1])
        logits = self(encoded)
        return {"begun": of(logits[0], begun / 2), "onsets": of(logits[1], onsets), "sounding": of(logits[2], sounding)}
