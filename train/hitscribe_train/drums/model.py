"""The drum network: a stem over bands, blocks at 16 ms, memory at 32 ms, back to 16 ms and out at 8 ms.

train/NETWORK.md specifies it for the engine. Every layer pads with zeros before the first and after the last
frame; the recurrence starts from zeros.
"""

import torch
import torch.nn as nn

from .classes import CLASSES, GROUPS, MAX_STROKES
from .features import BANDS, CHANNELS, HOP, SCALARS
from .layers import Block, Gru, Norm

PAIR = 2  # frames of 8 ms that make a step of 16 ms
STRIDE = 2  # steps that make one of the memory
FRAMES = PAIR * STRIDE  # the network takes multiples of so many frames

# (output channels, steps): convolutions of 3 bands and so many steps that halve the bands.
STEM = ((32, 3), (64, 3), (96, 1))
FINE = 160  # channels at 16 ms
COARSE = 192  # channels at 32 ms
# (taps, dilation, taps before the step)
BEFORE = ((3, 1, 1), (3, 2, 2), (3, 4, 2))
MEMORY = ((3, 1, 1), (3, 2, 2), (3, 4, 2), (3, 8, 2))
AFTER = ((3, 1, 1), (3, 1, 2))

# Logits of at least 1, 2, 3 strokes for each group; logits of the classes, compared within their group; where in
# the frame (frames); how hard (logit).
OUTPUTS = {
    "counts": len(GROUPS) * MAX_STROKES,
    "classes": len(CLASSES),
    "shift": len(CLASSES),
    "velocity": len(CLASSES),
}


def future(blocks):
    return sum((taps - 1 - past) * dilation for taps, dilation, past in blocks)


# The worst case: the first frame of the first step that one step of the memory covers.
FUTURE_STEPS = sum(steps // 2 for _, steps in STEM) + future(BEFORE) + STRIDE - 1 + STRIDE * future(MEMORY) + future(AFTER)
FUTURE_FRAMES = PAIR * FUTURE_STEPS + PAIR - 1


class Stem(nn.Module):
    """[batch, CHANNELS, BANDS, frames], [batch, SCALARS, frames] -> [steps, batch, fine]"""

    def __init__(self, stem, fine):
        super().__init__()
        self.layers = nn.ModuleList()
        inputs, bands = PAIR * CHANNELS, BANDS
        for outputs, steps in stem:
            convolution = nn.Conv2d(inputs, outputs, (3, steps), (2, 1), (1, steps // 2), bias=False)
            self.layers.append(nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)))
            inputs, bands = outputs, (bands + 1) // 2
        self.project = nn.Linear(inputs * bands + PAIR * SCALARS, fine, bias=False)
        self.norm = Norm(fine)

    def forward(self, channels, scalars):
        # The channels of the first frame of each pair, then those of the second.
        x = channels.unflatten(-1, (-1, PAIR)).permute(0, 4, 1, 2, 3).flatten(1, 2)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = layer(x)
        # By bands, then by channels within.
        scalars = scalars.unflatten(-1, (-1, PAIR)).permute(2, 0, 3, 1).flatten(2)
        x = torch.cat([x.permute(3, 0, 2, 1).flatten(2), scalars], dim=-1)
        return torch.relu(self.norm(self.project(x)))


class DrumNet(nn.Module):
    """Features -> `OUTPUTS` by name, each [batch, values, frames]; frames are a multiple of FRAMES."""

    hop = HOP

    def __init__(self, stem=STEM, fine=FINE, coarse=COARSE):
        super().__init__()
        self.stem = Stem(stem, fine)
        self.before = nn.Sequential(*(Block(fine, *b) for b in BEFORE))
        self.down = nn.Linear(STRIDE * fine, coarse, bias=False)
        self.down_norm = Norm(coarse)
        self.memory = nn.Sequential(*(Block(coarse, *b) for b in MEMORY))
        self.gru = Gru(coarse, coarse)
        self.up = nn.Linear(2 * coarse, 2 * fine)
        self.after = nn.Sequential(*(Block(fine, *b) for b in AFTER))
        self.head = nn.Linear(fine, PAIR * sum(OUTPUTS.values()))
        with torch.no_grad():
            self.up.weight.mul_(0.3)
            self.head.bias.unflatten(0, (PAIR, -1))[:, : OUTPUTS["counts"]] = -3.0

    @classmethod
    def of(cls, state):
        """A network of the sizes that a state has, with its values."""
        kernels = [value for name, value in state.items() if name.startswith("stem.layers.") and value.dim() == 4]
        stem = tuple((kernel.shape[0], kernel.shape[3]) for kernel in kernels)
        net = cls(stem, state["head.weight"].shape[1], state["gru.weight_hh_l0"].shape[1])
        net.load_state_dict(state)
        return net

    def forward(self, channels, scalars):
        fine = self.before(self.stem(channels, scalars))
        joined = fine.unflatten(0, (-1, STRIDE)).transpose(1, 2).flatten(2)  # [memory steps, batch, STRIDE * fine]
        coarse = self.memory(torch.relu(self.down_norm(self.down(joined))))
        remembered = self.gru(torch.relu(coarse))
        gain, offset = self.up(torch.cat([coarse, remembered], dim=-1))[:, None].chunk(2, dim=-1)
        fine = (fine.unflatten(0, (-1, STRIDE)) * (1.0 + gain) + offset).flatten(0, 1)
        outputs = self.head(torch.relu(self.after(fine)))
        outputs = outputs.unflatten(-1, (PAIR, -1)).permute(1, 3, 0, 2).flatten(2)  # [batch, values, frames]
        return dict(zip(OUTPUTS, outputs.split(tuple(OUTPUTS.values()), dim=1)))


def activations(outputs):
    """The strokes of each class at each frame, 0..1: [batch, classes, frames].

    Those of a group never add up to more than the strokes that its counts allow.
    """
    result = torch.zeros_like(outputs["classes"])
    for group, members in enumerate(GROUPS):
        logits = outputs["counts"][:, group * MAX_STROKES : (group + 1) * MAX_STROKES]
        strokes = torch.sigmoid(logits).cummin(dim=1).values.sum(1, keepdim=True)
        index = list(members)
        result[:, index] = strokes * torch.softmax(outputs["classes"][:, index], dim=1)
    return result.clamp(max=1.0)
