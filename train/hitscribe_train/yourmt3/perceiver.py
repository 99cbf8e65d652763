"""YourMT3's encoder, a Perceiver-TF: latents attend to the spectrum of each frame, to each other, and over time."""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

NORM_EPSILON = 1e-5
CHOSEN_EXPERTS = 2


@dataclass(frozen=True)
class PerceiverConfig:
    """Sizes; the defaults are those of the published checkpoint."""

    latents: int = 26
    size: int = 128
    heads: int = 8
    blocks: int = 3
    local_layers: int = 2
    temporal_layers: int = 2
    experts: int = 8
    expert_size: int = 512
    norm_has_bias: bool = True  # layer norms; otherwise RMS norms

    @property
    def rotary_angles(self):
        """The published code takes the number of heads for the width of one and turns half of it."""
        return self.heads // 4


def norm(width, config):
    return nn.LayerNorm(width, NORM_EPSILON) if config.norm_has_bias else nn.RMSNorm(width, NORM_EPSILON)


class Rotary(nn.Module):
    """Turns the first pairs of neighbouring dimensions of each head by an angle proportional to the row's position."""

    def __init__(self, freqs):
        super().__init__()
        self.register_buffer("freqs", freqs)

    def forward(self, x, positions):
        """[batch, heads, rows, head size] at `positions` [rows]"""
        angles = positions[:, None] * self.freqs
        turned = x[..., : 2 * len(self.freqs)].float().unflatten(-1, (-1, 2))
        first, second = turned.unbind(-1)
        cos, sin = angles.cos(), angles.sin()
        turned = torch.stack([first * cos - second * sin, second * cos + first * sin], -1).flatten(-2)
        return torch.cat([turned.to(x.dtype), x[..., 2 * len(self.freqs) :]], -1)


class Projections(nn.Module):
    """Norms, queries, keys and values; the rotary code acts on queries alone."""

    def __init__(self, config, key_features, rotary):
        super().__init__()
        self.layernorm1 = norm(config.size, config)
        if key_features:
            self.layernorm2 = norm(key_features, config)
        self.query = nn.Linear(config.size, config.size)
        self.key, self.value = (nn.Linear(key_features or config.size, config.size) for _ in range(2))
        self.rotary_emb = rotary


class Attention(nn.Module):
    """`x` plus its attention to itself, or to `keys` of `key_features`."""

    def __init__(self, config, key_features, rotary):
        super().__init__()
        self.heads = config.heads
        self.add_module("self", Projections(config, key_features, rotary))
        self.output = nn.Module()
        self.output.dense = nn.Linear(config.size, config.size)

    def forward(self, x, positions, keys=None):
        parts = getattr(self, "self")
        queries = parts.layernorm1(x)
        keys = queries if keys is None else parts.layernorm2(keys)
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q = parts.rotary_emb(split(parts.query(queries)), positions)
        out = F.scaled_dot_product_attention(q, split(parts.key(keys)), split(parts.value(keys)))
        return x + self.output.dense(out.transpose(1, 2).flatten(2))


class Expert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.w1, self.gate = (nn.Linear(config.size, config.expert_size, bias=False) for _ in range(2))
        self.w2 = nn.Linear(config.expert_size, config.size, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.gate(x))


class Mixture(nn.Module):
    """Each row passes through the experts that `gate` scores highest."""

    def __init__(self, config):
        super().__init__()
        self.gate = nn.Linear(config.size, config.experts, bias=False)
        self.experts = nn.ModuleList(Expert(config) for _ in range(config.experts))

    def forward(self, x):
        rows = x.flatten(0, -2)
        # In full precision: near ties would be decided by rounding.
        with torch.autocast(x.device.type, enabled=False):
            shares = self.gate(rows.float()).softmax(-1)
        shares, chosen = shares.topk(min(CHOSEN_EXPERTS, len(self.experts)))
        shares = shares / shares.sum(-1, keepdim=True)
        out = torch.zeros_like(rows, dtype=torch.float32)
        for number, expert in enumerate(self.experts):
            row, choice = (chosen == number).nonzero(as_tuple=True)
            out.index_add_(0, row, (expert(rows[row]) * shares[row, choice, None]).float())
        return out.view_as(x)


class Layer(nn.Module):
    def __init__(self, config, rotary):
        super().__init__()
        self.attention = Attention(config, None, rotary)
        self.layernorm = norm(config.size, config)
        self.mlp = Mixture(config)

    def forward(self, x, positions):
        x = self.attention(x, positions)
        return x + self.mlp(self.layernorm(x))


class Block(nn.Module):
    def __init__(self, config, key_features, spectral, latent, temporal):
        super().__init__()
        self.spectral_cross_attention = Attention(config, key_features, spectral)
        self.local_transformer = nn.ModuleList(Layer(config, latent) for _ in range(config.local_layers))
        self.temporal_transformer = nn.ModuleList(Layer(config, temporal) for _ in range(config.temporal_layers))


class Perceiver(nn.Module):
    """[batch, frames, keys, key features] -> [batch, frames, latents, size]"""

    def __init__(self, config, key_features):
        super().__init__()
        self.latent_array = nn.Module()
        self.latent_array.latents = nn.Parameter(torch.randn(config.latents, config.size) * 0.02)
        angles = config.rotary_angles
        pixel = torch.linspace(1.0, 5.0, angles) * torch.pi
        self.rotary_emb_sca, self.rotary_emb_latent = Rotary(pixel.clone()), Rotary(pixel)
        self.rotary_emb_temporal = Rotary(10000.0 ** (-torch.arange(angles) / angles))
        rotary = self.rotary_emb_sca, self.rotary_emb_latent, self.rotary_emb_temporal
        self.blocks = nn.ModuleList(Block(config, key_features, *rotary) for _ in range(config.blocks))

    def forward(self, spectra):
        batch, frames = spectra.shape[:2]
        latents, size = self.latent_array.latents.shape
        spectra = spectra.flatten(0, 1)
        pixels = torch.linspace(-1.0, 1.0, latents, device=spectra.device)
        times = torch.arange(frames, device=spectra.device).float()
        x = self.latent_array.latents.expand(batch * frames, -1, -1)
        for block in self.blocks:
            x = block.spectral_cross_attention(x, pixels, spectra)
            for layer in block.local_transformer:
                x = layer(x, pixels)
            x = x.view(batch, frames, latents, size).transpose(1, 2).flatten(0, 1)
            for layer in block.temporal_transformer:
                x = layer(x, times)
            x = x.view(batch, latents, frames, size).transpose(1, 2).flatten(0, 1)
        return x.view(batch, frames, latents, size)
