"""The onsets that sequences of a segment say, and how many of them are right."""

from .model import EOS
from .tasks import DRUMS, NOTE_ON, PITCHES, PROGRAMS, SHIFTS, TIE

TOLERANCE_STEPS = 5  # of 10 ms


def onsets(ids):
    """Steps of the onsets in `ids`, in order, by (program, pitch) or ("drum", key)."""
    found = {}
    step, program, velocity, in_tie = 0, None, None, True
    for token in ids:
        if token == EOS:
            break
        if token in SHIFTS:
            step = token - SHIFTS.start
        elif token == TIE:
            in_tie = False
        elif token in PROGRAMS:
            program = token - PROGRAMS.start
        elif token in (NOTE_ON - 1, NOTE_ON):
            velocity = token
        elif token in PITCHES and not in_tie and velocity == NOTE_ON and program is not None:
            found.setdefault((program, token - PITCHES.start), []).append(step)
        elif token in DRUMS:
            found.setdefault(("drum", token - DRUMS.start), []).append(step)
    return found


def matches(reference, found):
    """How many of two ascending lists of steps belong together, each once."""
    count = i = j = 0
    while i < len(reference) and j < len(found):
        if abs(reference[i] - found[j]) <= TOLERANCE_STEPS:
            count, i, j = count + 1, i + 1, j + 1
        elif reference[i] < found[j]:
            i += 1
        else:
            j += 1
    return count


def onset_f(references, founds):
    """F of the onsets of pairs of sequences, counted together; instruments have to be right."""
    right = asked = given = 0
    for reference, found in zip(references, founds):
        reference, found = onsets(reference), onsets(found)
        right += sum(matches(sorted(reference[key]), sorted(found[key])) for key in reference.keys() & found.keys())
        asked += sum(map(len, reference.values()))
        given += sum(map(len, found.values()))
    return 2 * right / max(asked + given, 1)
