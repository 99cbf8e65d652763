"""YourMT3's network (YPTF.MoE+Multi) in plain PyTorch, written from its specification.

The yardstick of torch_reference.py.
"""

import torch
import torch.nn.functional as F

from mt3_torch import Mt3


class YourMt3:
    def __init__(self, weights, heads=8, decoder_heads=6):
        self.w, self.heads = weights, heads
        self.blocks = sum("spectral_cross_attention.self.query.weight" in k for k in weights)
        first = "encoder.blocks.0."
        count = lambda kind: sum(k.startswith(first + kind) and k.endswith("mlp.gate.weight") for k in weights)
        self.layers = {kind: count(kind) for kind in ("local_transformer", "temporal_transformer")}
        decoder = {k.removeprefix("decoder."): v for k, v in weights.items() if k.startswith("decoder.")}
        decoder["proj.weight"] = torch.zeros(weights["embed_tokens.weight"].shape[1], 1)
        decoder["decoder_embed_tokens.weight"] = weights["embed_tokens.weight"]
        decoder["lm_head.weight"] = weights["lm_head.lm_head.weight"] * weights["embed_tokens.weight"].shape[1] ** -0.5
        self.decoder = Mt3(decoder, decoder_heads)

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"])

    def batch_norm(self, x, name):
        part = lambda which: self.w[f"{name}.{which}"]
        return F.batch_norm(x, part("running_mean"), part("running_var"), part("weight"), part("bias"))

    def pre_encode(self, x):
        x = x[:, None]
        for block in range(3):
            name = f"pre_encoder.0.blocks.{block}"
            y = F.relu(self.batch_norm(F.conv2d(x, self.w[name + ".conv1.weight"], padding=1), name + ".bn1"))
            y = self.batch_norm(F.conv2d(y, self.w[name + ".conv2.weight"], padding=1), name + ".bn2")
            if name + ".shortcut.weight" in self.w:
                x = F.conv2d(x, self.w[name + ".shortcut.weight"], self.w[name + ".shortcut.bias"])
            x = F.avg_pool2d(F.relu(x + y), (1, 2))
        return x.transpose(1, 2)

    def rotate(self, q, which, positions):
        frequency = self.w[f"encoder.rotary_emb_{which}.freqs"]
        angle = positions[:, None] * frequency[None]
        cos, sin, n = angle.cos(), angle.sin(), 2 * len(frequency)
        even, odd = q[..., 0:n:2], q[..., 1:n:2]
        turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)
        return torch.cat([turned, q[..., n:]], dim=-1)

    def attend(self, x, keys, name, which):
        inner = name + ".self."
        y = self.norm(x, inner + "layernorm1")
        keys = y if keys is None else self.norm(keys, inner + "layernorm2")
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = (split(self.linear(t, inner + p)) for t, p in ((y, "query"), (keys, "key"), (keys, "value")))
        rows = x.shape[1]
        positions = torch.arange(rows).float() if which == "temporal" else torch.linspace(-1, 1, rows)
        out = F.scaled_dot_product_attention(self.rotate(q, which, positions), k, v)
        return x + self.linear(out.transpose(1, 2).flatten(2), name + ".output.dense")

    def mixture(self, x, name):
        shape, x = x.shape, x.flatten(0, 1)
        share, chosen = torch.softmax(self.linear(x, name + ".gate"), dim=-1).topk(2)
        share = share / share.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for expert in range(8):
            rows, rank = (chosen == expert).nonzero(as_tuple=True)
            own, part = x[rows], f"{name}.experts.{expert}."
            inner = F.silu(self.linear(own, part + "w1")) * self.linear(own, part + "gate")
            out.index_add_(0, rows, self.linear(inner, part + "w2") * share[rows, rank, None])
        return out.view(shape)

    def layer(self, x, name, which):
        x = self.attend(x, None, name + ".attention", which)
        return x + self.mixture(self.norm(x, name + ".layernorm"), name + ".mlp")

    def encode(self, spectrograms):
        spectra = self.pre_encode(spectrograms)
        batch, frames = spectra.shape[:2]
        spectra = spectra.flatten(0, 1)
        x = self.w["encoder.latent_array.latents"].expand(batch * frames, -1, -1)
        for block in range(self.blocks):
            name = f"encoder.blocks.{block}."
            x = self.attend(x, spectra, name + "spectral_cross_attention", "sca")
            for layer in range(self.layers["local_transformer"]):
                x = self.layer(x, f"{name}local_transformer.{layer}", "latent")
            latents, size = x.shape[1:]
            x = x.view(batch, frames, latents, size).transpose(1, 2).flatten(0, 1)
            for layer in range(self.layers["temporal_transformer"]):
                x = self.layer(x, f"{name}temporal_transformer.{layer}", "temporal")
            x = x.view(batch, latents, frames, size).transpose(1, 2).flatten(0, 1)
        return x.view(batch, frames, latents, size)

    def contexts(self, encoded):
        """`[batch * 13, frames, width]`."""
        batch, frames, latents, size = encoded.shape
        pairs = encoded.view(batch, frames, latents // 2, 2 * size).transpose(1, 2)
        return self.linear(pairs.flatten(0, 1), "pre_decoder.0.linear")
