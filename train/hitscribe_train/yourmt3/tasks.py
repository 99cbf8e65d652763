"""What YourMT3 is tuned to transcribe, and the vocabulary of each: the ids that its tokens can have.

The ids: 3 special ones, shifts of 0 to 205 steps of 10 ms, 128 pitches, 2 velocities, the tie, 128 programs, 128 drums.
Programs and drums are those that stand for a group (engine/core/src/tokens/yourmt3/programs.rs).
"""

from dataclasses import dataclass
from functools import cached_property

from .model import CHANNELS, EOS

SHIFTS = range(3, 209)
PITCHES = range(209, 337)
NOTE_OFF, NOTE_ON = 337, 338
TIE = 339
PROGRAMS = range(340, 468)
DRUMS = range(468, 596)

BASSES = (32, 33)
SINGER, CHOIR = 100, 101
CHOIRS_OF_A_MIX = 52
OTHERS = (
    0, 2, 8, 16, 24, 26, 29, 40, 41, 42, 43, 46, 47, 48, 50, 55, 56, 57, 58, 60, 61, 64, *range(66, 72), 73, 80, 88,
)  # fmt: skip
# Keys that another key stands for.
REPLACED_DRUMS = (35, 2, 40, 44, 22, 26, 57)


@dataclass(frozen=True)
class Task:
    """A stem: its programs, whether it is drums, and the channels of the published model that hear it."""

    programs: tuple = ()
    drums: bool = False
    channels: tuple = ()

    @cached_property
    def ids(self):
        ids = {EOS, NOTE_ON, TIE, *SHIFTS}
        if self.programs:
            ids |= {NOTE_OFF, *PITCHES, *(PROGRAMS[program] for program in self.programs)}
        if self.drums:
            ids |= set(DRUMS) - {DRUMS[key] for key in REPLACED_DRUMS}
        return ids


TASKS = {
    "drums": Task(drums=True, channels=(12,)),
    "bass": Task(BASSES, channels=(4,)),
    "vocals": Task((SINGER, CHOIR), channels=(11,)),
    "singing": Task((SINGER,), channels=(11,)),
    "other": Task(OTHERS, channels=(0, 1, 2, 3, 5, 6, 7, 8, 9, 10)),
    "mix": Task((*OTHERS, *BASSES, CHOIRS_OF_A_MIX), True, tuple(range(CHANNELS))),
}
