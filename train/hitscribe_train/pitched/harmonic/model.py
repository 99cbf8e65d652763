"""The harmonic network: every block compares each key with its harmonics and sub-harmonics; what is learnt about a
note is learnt for all keys. A recurrence for all keys together remembers who plays and how loud, one for each key
what it does.

It works in steps of two frames, 32 ms, and gives outputs for both frames. Rows before the first and after the last
step are zeros at the input of each layer; recurrences start from zeros.
"""

import torch
import torch.nn as nn

from ...drums.layers import Gru
from .features import CHANNELS, HOP, KEYS, SCALARS
from .layers import Block, Memory, Norm

PAIR = 2  # frames of 16 ms that make a step
WIDTH = 32  # channels of a key
NARROW = 8  # channels of a key that its harmonics see
TOGETHER = 64  # channels of all keys together
MEMORY = 48  # channels of a key's recurrence
STEM_BANDS, STEM_STEPS, STRIDE = 5, 3, 3
ROWS = 99  # keys and, above them, what only harmonics reach
# (taps, steps between them, taps before the step)
BLOCKS = ((3, 1, 1), (3, 2, 1), (3, 4, 2), (3, 1, 1))
MIDDLE = 2  # blocks before all keys are taken together

FAMILIES = ("bass", "guitar", "keys", "strings", "winds", "voice", "synth")
FRAME_OUTPUTS = ("onset", "sounding", "offset", "velocity", "shift")

FUTURE_STEPS = STEM_STEPS // 2 + sum((taps - 1 - past) * dilation for taps, dilation, past in BLOCKS)
FUTURE_FRAMES = PAIR * FUTURE_STEPS + PAIR - 1


class HarmonicNet(nn.Module):
    """Features -> by name: FRAME_OUTPUTS [batch, keys, frames], "family" [batch, families, keys, steps]; logits, the
    shift in frames. Frames are a multiple of PAIR."""

    hop = HOP

    def __init__(self, width=WIDTH, narrow=NARROW, together=TOGETHER, memory=MEMORY):
        super().__init__()
        self.stem = nn.Conv2d(
            PAIR * CHANNELS, width, (STEM_BANDS, STEM_STEPS), (STRIDE, 1), (0, STEM_STEPS // 2), bias=False
        )
        self.stem_norm = Norm(width)
        # Where a key lies: its register.
        self.place = nn.Parameter(torch.zeros(ROWS, width))
        self.blocks = nn.ModuleList(Block(width, narrow, *b) for b in BLOCKS)
        self.gather = nn.Linear(2 * width + PAIR * SCALARS, together)
        self.together = Gru(together, together)
        self.tell = nn.Linear(together, 2 * width)
        self.memory = Memory(width, memory)
        self.head = nn.Linear(width + memory, PAIR * len(FRAME_OUTPUTS) + len(FAMILIES))
        with torch.no_grad():
            self.tell.weight.mul_(0.3)
            bias = self.head.bias[: PAIR * len(FRAME_OUTPUTS)].view(PAIR, -1)
            bias.zero_()
            bias[:, [0, 2]], bias[:, 1] = -5.0, -3.0

    def forward(self, channels, scalars):
        x = channels.unflatten(-1, (-1, PAIR)).permute(0, 4, 1, 2, 3).flatten(1, 2)
        x = self.stem(x).permute(3, 0, 2, 1).contiguous()  # [steps, batch, rows, width]
        x = torch.relu(self.stem_norm(x)) + self.place
        for block in self.blocks[:MIDDLE]:
            x = block(x)
        scalars = scalars.unflatten(-1, (-1, PAIR)).permute(2, 0, 3, 1).flatten(2)
        pooled = torch.cat([x.mean(2), x.amax(2), scalars], dim=-1)
        early, late = self.tell(self.together(torch.relu(self.gather(pooled))))[:, :, None].chunk(2, dim=-1)
        x = x + early
        for block in self.blocks[MIDDLE:]:
            x = block(x)
        x = torch.relu(x[:, :, :KEYS] + late)
        x = self.head(torch.cat([x, self.memory(x)], dim=-1))  # [steps, batch, keys, outputs]
        frames, family = x.split((PAIR * len(FRAME_OUTPUTS), len(FAMILIES)), dim=-1)
        frames = frames.unflatten(-1, (PAIR, -1)).permute(4, 1, 2, 0, 3).flatten(3)
        return dict(zip(FRAME_OUTPUTS, frames)) | {"family": family.permute(1, 3, 2, 0)}
