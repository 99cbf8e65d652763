"""Muon for the matrices inside a network, in 32-bit floats (PyTorch's own takes 16-bit ones, which are slow on many
CPUs); AdamW for the rest."""

import torch

# Newton-Schulz iteration towards the nearest orthogonal matrix (Jordan et al.).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonal(matrices):
    """[number, rows, columns] -> about orthogonal, each."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


class Muon:
    """Momentum, orthogonalised. Steps have the size of AdamW's: 0.2 root mean square times the rate."""

    def __init__(self, kernels, weight_decay, momentum=0.95):
        self.kernels, self.weight_decay, self.momentum = kernels, weight_decay, momentum
        self.buffers = [torch.zeros_like(k) for k in kernels]

    @staticmethod
    def matrix(kernel):
        """[rows, columns]: outputs of a 2-d convolution, else all dimensions but the last in one."""
        return kernel.flatten(1) if kernel.dim() == 4 else kernel.flatten(0, -2)

    @torch.no_grad()
    def step(self, rate):
        by_shape = {}
        for kernel, buffer in zip(self.kernels, self.buffers):
            buffer.lerp_(kernel.grad, 1 - self.momentum)
            update = self.matrix(kernel.grad.lerp(buffer, self.momentum))
            by_shape.setdefault(update.shape, []).append((kernel, update))
        for (rows, columns), members in by_shape.items():
            updates = orthogonal(torch.stack([update for _, update in members]))
            scale = 0.2 * max(rows, columns) ** 0.5
            for (kernel, _), update in zip(members, updates):
                kernel.mul_(1 - rate * self.weight_decay)
                kernel.add_(update.reshape(kernel.shape), alpha=-rate * scale)


class Optimizer:
    def __init__(self, net, rate, weight_decay=0.02):
        head = set(net.head.parameters())
        kernels = [p for p in net.parameters() if p.dim() > 1 and p not in head]
        others = [p for p in net.parameters() if p.dim() <= 1 or p in head]
        self.muon = Muon(kernels, weight_decay)
        self.adam = torch.optim.AdamW(others, rate, betas=(0.9, 0.98), weight_decay=weight_decay)

    def step(self, loss, rate, net):
        """One step; returns the norm of the gradient. A gradient that is not finite changes nothing."""
        for group in self.adam.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        net.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        if torch.isfinite(norm):
            self.muon.step(rate)
            self.adam.step()
        return norm

    def state_dict(self):
        return {"muon": self.muon.buffers, "adam": self.adam.state_dict()}

    def load_state_dict(self, state):
        for buffer, saved in zip(self.muon.buffers, state["muon"]):
            buffer.copy_(saved)
        self.adam.load_state_dict(state["adam"])
