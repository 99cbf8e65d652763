"""Token shuffling: MT3's order of simultaneous events is a convention, which training need not teach.

Notes of the tie section, and the onsets and offsets of one time, change places; those of one key keep their order,
without which they would say something else. Programs and velocities are written anew, where they change.
"""

import numpy as np

from .model import EOS, PAD, TIE

SHIFTS = range(3, 1004)
PITCHES = range(1004, 1132)
VELOCITIES = range(1132, 1134)
PROGRAMS = range(1135, 1263)
DRUMS = range(1263, 1391)


def permuted(events, random):
    """The events in random order, those of one key as they were among themselves."""
    order = random.permutation(len(events))
    places = {}
    for place, event in enumerate(order):
        places.setdefault(events[event][-2:], []).append(place)
    out = list(events)
    taken = dict.fromkeys(places, 0)
    for event in events:
        key = event[-2:]
        out[places[key][taken[key]]] = event
        taken[key] += 1
    return out


def written(events, program, velocity):
    """The ids of events (velocity, program, id), and the state after them."""
    ids = []
    for event_velocity, event_program, event in events:
        if event_program is not None and event_program != program:
            program = event_program
            ids.append(program)
        if event_velocity is not None and event_velocity != velocity:
            velocity = event_velocity
            ids.append(velocity)
        ids.append(event)
    return ids, program, velocity


def shuffled(ids, random):
    """The ids `ids`, which end with EOS or with PAD or are cut off, in another order that says the same.

    What is no sequence of MT3's encoder is returned as it is.
    """
    length = int(np.argmax(ids == PAD)) if (ids == PAD).any() else len(ids)
    body, end = ids[:length].tolist(), []
    if body and body[-1] == EOS:
        end = [body.pop()]
    program = velocity = None
    out, group, state = [], [], (None, None)

    def flush():
        nonlocal group, state
        more, *state = written(permuted(group, random), *state)
        out.extend(more)
        group = []

    in_tie = True
    for token in body:
        if token in SHIFTS or token == TIE:
            flush()
            out.append(token)
            in_tie &= token != TIE
        elif token in PROGRAMS:
            program = token
        elif token in VELOCITIES:
            velocity = token
        elif token in PITCHES and program is not None and (in_tie or velocity is not None):
            group.append((None if in_tie else velocity, program, token))
        elif token in DRUMS and velocity is not None:
            group.append((velocity, None, token))
        else:
            return ids
    flush()
    new = (out + end)[: len(ids)]
    result = np.full(len(ids), PAD, ids.dtype)
    result[: len(new)] = new
    return result
