"""Layers over keys and time in the layout [steps, batch, keys, channels].

PyTorch's convolutions with dilations along both axes are slow on a CPU. Here the harmonics of some steps are gathered
into a matrix that stays in the cache, and one product makes their outputs.
"""

import torch
import torch.nn as nn

from ...drums.layers import TimeConvolution

# Semitones to the first harmonics and sub-harmonics of a key.
SHIFTS = (0, 12, -12, 19, -19, 24, -24, 28, -28, 31, -31, 34, -34, 36, -36)
CHUNK = 16  # steps of segments that are gathered at once


def sources(keys, sign):
    """For each key and shift the key that it comes from, 0 where there is none, and whether there is one."""
    index = torch.arange(keys)[:, None] + sign * torch.tensor(SHIFTS)
    inside = (index >= 0) & (index < keys)
    return torch.where(inside, index, 0), inside


class Gathered(torch.autograd.Function):
    """Each key beside its harmonics: [..., keys, narrow] times `weight` [len(SHIFTS) * narrow, outputs]."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)
    def forward(ctx, z, weight):
        ctx.save_for_backward(z, weight)
        flat = z.reshape(-1, *z.shape[-2:])
        keys, edge = flat.shape[1], max(SHIFTS)
        ctx.padded = nn.functional.pad(flat, (0, 0, edge, edge))
        ctx.index = (torch.arange(keys)[:, None] + edge + torch.tensor(SHIFTS)).flatten()
        y = z.new_empty(len(flat), keys, weight.shape[1])
        for first in range(0, len(flat), CHUNK):
            rows = ctx.padded[first : first + CHUNK].index_select(1, ctx.index).view(-1, len(weight))
            torch.mm(rows, weight, out=y[first : first + CHUNK].view(-1, weight.shape[1]))
        return y.view(*z.shape[:-1], weight.shape[1])

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx, grad):
        z, weight = ctx.saved_tensors
        narrow, keys = z.shape[-1], z.shape[-2]
        grad = grad.reshape(-1, keys, weight.shape[1])
        to_z, to_weight = z.new_empty(len(grad), keys, narrow), torch.zeros(weight.shape)
        across = weight.t().contiguous()
        index, inside = sources(keys, -1)
        index = (index * len(SHIFTS) + torch.arange(len(SHIFTS))).flatten()
        inside = inside.flatten()[:, None].to(grad.dtype)
        for first in range(0, len(grad), CHUNK):
            rows = ctx.padded[first : first + CHUNK].index_select(1, ctx.index).view(-1, len(weight))
            part = grad[first : first + CHUNK].view(-1, weight.shape[1])
            to_weight += rows.t() @ part
            back = (part @ across).view(-1, keys * len(SHIFTS), narrow).index_select(1, index).mul_(inside)
            torch.sum(back.view(-1, keys, len(SHIFTS), narrow), 2, out=to_z[first : first + CHUNK])
        return to_z.view_as(z), to_weight.to(weight.dtype)


class Norm(nn.BatchNorm1d):
    """Batch norm of the last dimension."""

    def forward(self, x):
        return super().forward(x.flatten(0, -2)).view(x.shape)


class Block(nn.Module):
    """Residual: harmonics and taps over time, norm, ReLU, product with a matrix."""

    def __init__(self, channels, narrow, taps, dilation, past):
        super().__init__()
        inputs = len(SHIFTS) * narrow
        self.project = nn.Linear(channels, narrow, bias=False)
        self.harmonics = nn.Parameter(torch.randn(inputs, channels) * inputs**-0.5)
        self.time = TimeConvolution(channels, channels, taps, dilation, past)
        self.norm = Norm(channels)
        self.mix = nn.Linear(channels, channels)
        nn.init.normal_(self.mix.weight, std=0.3 * channels**-0.5)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x):
        along_time = self.time(x.flatten(1, 2)).view(x.shape)
        hidden = Gathered.apply(self.project(x), self.harmonics) + along_time
        return x + self.mix(torch.relu(self.norm(hidden)))


class Scan(torch.autograd.Function):
    """h[t] = keep[t] h[t - 1] + (1 - keep[t]) new[t], from zeros."""

    @staticmethod
    def forward(ctx, keep, new):
        states = torch.empty_like(new)
        state = torch.zeros_like(new[0])
        for t in range(len(new)):
            state = torch.lerp(new[t], state, keep[t], out=states[t])
        ctx.save_for_backward(keep, new, states)
        return states

    @staticmethod
    def backward(ctx, grad):
        keep, new, states = ctx.saved_tensors
        running = grad.clone()
        for t in range(len(grad) - 2, -1, -1):
            running[t].addcmul_(running[t + 1], keep[t + 1])
        before = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
        return running * before.sub_(new), running * (1.0 - keep)


class Memory(nn.Module):
    """A recurrence whose gates see the input alone, so that all products are of many rows (Feng et al.'s minimal GRU).

    [steps, ..., channels] -> the state after each step
    """

    def __init__(self, inputs, channels):
        super().__init__()
        self.gates = nn.Linear(inputs, 2 * channels)
        with torch.no_grad():
            # Some remember a few steps, some seconds.
            self.gates.bias[:channels] = torch.linspace(0.0, 4.0, channels)

    def forward(self, x):
        keep, new = self.gates(x).float().chunk(2, dim=-1)
        return Scan.apply(torch.sigmoid(keep), torch.tanh(new))
