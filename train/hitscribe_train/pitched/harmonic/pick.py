"""Notes from the outputs of the harmonic network for a whole recording."""

from dataclasses import dataclass

import numpy as np

from .features import HOP, KEYS, LOWEST_KEY, SAMPLE_RATE
from .model import FAMILIES, PAIR

FRAME_SECONDS = HOP / SAMPLE_RATE
REACH = 2  # frames on each side of an onset that are not above it
MOST_SHIFT = 1.0  # frames between an onset and the frame that it is picked from
SHORTEST = 2  # frames of a note
SHORT = 4.5  # frames below which a note needs a surer onset: most such notes are noises of playing
SHORT_LOGITS = 1.8  # by which its logit exceeds the threshold
END_FRAMES = 3  # from the first with evidence for an end on, among which the end is
FAMILY_STEPS = 4  # after the onset, whose evidence for a family counts
# General MIDI programs that are written for the families.
PROGRAMS = {"bass": 33, "guitar": 24, "keys": 0, "strings": 48, "winds": 65, "voice": 52, "synth": 81}


@dataclass(frozen=True)
class Rule:
    """When evidence is a note: probabilities."""

    onset: float = 0.35
    sounding: float = 0.4
    offset: float = 0.5  # an end while the key still sounds


def logit(p):
    return float(np.log(p / (1.0 - p)))


def pick(outputs, rule=Rule()):
    """Rows of onset and offset in seconds, key, velocity 0..1, index of the family, probability of the onset.

    `outputs`: name -> array [keys, frames] ("family": [families, keys, steps]), as from `HarmonicNet`.
    """
    onset, sounding, ends = outputs["onset"], outputs["sounding"], outputs["offset"]
    frames = onset.shape[1]
    padded = np.pad(onset, ((0, 0), (REACH, REACH)), constant_values=-np.inf)
    around = np.stack([padded[:, i : i + frames] for i in range(2 * REACH + 1)])
    # Of equal frames the first is the peak.
    peaks = (onset >= logit(rule.onset)) & (onset >= around[REACH + 1 :].max(0)) & (onset > around[:REACH].max(0))
    sounds, is_end = sounding > logit(rule.sounding), ends > logit(rule.offset)
    notes = []
    for key in range(KEYS):
        places = np.flatnonzero(peaks[key])
        starts = places + np.clip(outputs["shift"][key, places], -MOST_SHIFT, MOST_SHIFT).astype(float)
        for index, (place, start) in enumerate(zip(places, starts)):
            # A key that is struck again ends its note.
            following = places[index + 1] if index + 1 < len(places) else frames
            limit = starts[index + 1] if index + 1 < len(places) else frames
            end, last = limit, following
            for t in range(place + SHORTEST, following):
                # A single silent frame does not end a note.
                if not sounds[key, t] and (t + 1 >= frames or not sounds[key, t + 1]):
                    end = last = t
                    break
            inside = np.flatnonzero(is_end[key, place + SHORTEST : last])
            if len(inside):
                first = place + SHORTEST + inside[0]
                # Where the evidence is largest near its first frame.
                end = min(first + int(np.argmax(ends[key, first : first + END_FRAMES])), limit)
            is_sure = onset[key, place] >= logit(rule.onset) + SHORT_LOGITS
            if end - start < SHORT and end < frames and not is_sure:
                continue
            steps = slice(place // PAIR, place // PAIR + FAMILY_STEPS)
            family = int(outputs["family"][:, key, steps].mean(1).argmax())
            velocity = 1.0 / (1.0 + np.exp(-outputs["velocity"][key, place]))
            surety = 1.0 / (1.0 + np.exp(-onset[key, place]))
            notes.append((max(start, 0.0), max(end, start + 1.0), LOWEST_KEY + key, velocity, family, surety))
    rows = np.array(sorted(notes), float).reshape(-1, 6)
    rows[:, :2] *= FRAME_SECONDS
    return rows


def program(family):
    return PROGRAMS[FAMILIES[int(family)]]
