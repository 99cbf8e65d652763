"""Layers over time in the layout [frames, batch, channels], where a tap of a convolution is one matrix product
over whole rows: twice as fast on a CPU as `Conv1d`."""

import torch
import torch.nn as nn


class Taps(torch.autograd.Function):
    """y[t] = sum over i of x[t + offsets[i]] @ weight[i]; zeros outside. x: [frames, batch, inputs]"""

    @staticmethod
    def rows(x, y, offset):
        """The part of `x` at t + offset and of `y` at t, for all t where both exist."""
        frames = len(x)
        return x[max(offset, 0) : frames + min(offset, 0)].flatten(0, 1), y[max(-offset, 0) : frames - max(offset, 0)].flatten(0, 1)

    @staticmethod
    def forward(ctx, x, weight, offsets):
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.offsets = offsets
        y = x.new_zeros(*x.shape[:2], weight.shape[2])
        for w, offset in zip(weight, offsets):
            source, target = Taps.rows(x, y, offset)
            target.addmm_(source, w)
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        into, weights = torch.zeros_like(x), torch.empty_like(weight)
        for w, grad_w, offset in zip(weight, weights, ctx.offsets):
            target, source = Taps.rows(into, grad, offset)
            target.addmm_(source, w.t())
            torch.mm(Taps.rows(x, grad, offset)[0].t(), source, out=grad_w)
        return into, weights, None


class TimeConvolution(nn.Module):
    """A convolution over time without bias; `past` taps lie before the frame, zeros outside of the passage."""

    def __init__(self, inputs, outputs, taps, dilation, past):
        super().__init__()
        self.offsets = tuple((i - past) * dilation for i in range(taps))
        self.weight = nn.Parameter(torch.randn(taps, inputs, outputs) * (taps * inputs) ** -0.5)

    def forward(self, x):
        return Taps.apply(x, self.weight, self.offsets)


class Norm(nn.BatchNorm1d):
    """Batch norm of [frames, batch, channels]."""

    def forward(self, x):
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Block(nn.Module):
    """Residual: dilated convolution, norm, ReLU, product with a matrix."""

    def __init__(self, channels, taps, dilation, past):
        super().__init__()
        self.spread = TimeConvolution(channels, channels, taps, dilation, past)
        self.norm = Norm(channels)
        self.mix = nn.Linear(channels, channels)
        nn.init.normal_(self.mix.weight, std=0.2 * channels**-0.5)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x):
        return x + self.mix(torch.relu(self.norm(self.spread(x))))
