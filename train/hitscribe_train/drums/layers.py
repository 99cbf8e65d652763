"""Layers over time in the layout [frames, batch, channels], where a tap of a convolution is one matrix product
over whole rows: twice as fast on a CPU as PyTorch's `Conv1d` and `GRU`."""

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
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)
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
    @torch.amp.custom_bwd(device_type="cpu")
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


class Recurrence(torch.autograd.Function):
    """A GRU from zeros whose weights get their gradients in one product after the loop, not one for each step.

    In 32-bit floats always: 16-bit ones forget what changes slowly.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx, x, input_weight, hidden_weight, input_bias, hidden_bias):
        steps, batch, size = x.shape[0], x.shape[1], hidden_weight.shape[1]
        from_input = torch.addmm(input_bias, x.flatten(0, 1), input_weight.t()).view(steps, batch, 3 * size)
        states = x.new_zeros(steps + 1, batch, size)
        gates = x.new_empty(steps, batch, 4 * size)  # r, z, n, what r scales
        across = hidden_weight.t().contiguous()
        for t in range(steps):
            from_state = torch.addmm(hidden_bias, states[t], across)
            rz = torch.add(from_input[t, :, : 2 * size], from_state[:, : 2 * size]).sigmoid_()
            r, z = rz[:, :size], rz[:, size:]
            n = torch.addcmul(from_input[t, :, 2 * size :], r, from_state[:, 2 * size :]).tanh_()
            torch.lerp(n, states[t], z, out=states[t + 1])
            gates[t, :, : 2 * size], gates[t, :, 2 * size : 3 * size] = rz, n
            gates[t, :, 3 * size :] = from_state[:, 2 * size :]
        ctx.save_for_backward(x, input_weight, hidden_weight, states, gates)
        return states[1:]

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx, grad):
        x, input_weight, hidden_weight, states, gates = ctx.saved_tensors
        steps, batch, size = grad.shape
        r, z, n, scaled = gates.split(size, dim=-1)
        # What a gradient of the state becomes at each gate, for all steps at once.
        to_n = (1.0 - z) * (1.0 - n * n)
        to_z = (states[:-1] - n) * z * (1.0 - z)
        to_r = scaled * r * (1.0 - r)
        at_input, at_state = torch.empty_like(gates[..., : 3 * size]), torch.empty_like(gates[..., : 3 * size])
        running = torch.zeros_like(grad[0])
        for t in range(steps - 1, -1, -1):
            running = running + grad[t]
            d_n = running * to_n[t]
            torch.mul(d_n, to_r[t], out=at_state[t, :, :size])
            torch.mul(running, to_z[t], out=at_state[t, :, size : 2 * size])
            torch.mul(d_n, r[t], out=at_state[t, :, 2 * size :])
            at_input[t, :, 2 * size :] = d_n
            running = torch.addmm(running * z[t], at_state[t], hidden_weight)
        at_input[..., : 2 * size] = at_state[..., : 2 * size]
        rows, state_rows = at_input.flatten(0, 1), at_state.flatten(0, 1)
        return (
            (rows @ input_weight).view(x.shape),
            rows.t() @ x.flatten(0, 1),
            state_rows.t() @ states[:-1].flatten(0, 1),
            rows.sum(0),
            state_rows.sum(0),
        )


class Gru(nn.GRU):
    """[steps, batch, channels] -> the state after each step."""

    def forward(self, x):
        weights = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        return Recurrence.apply(x.contiguous(), *weights)


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
