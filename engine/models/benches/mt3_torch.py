"""MT3's and MR-MT3's network in plain PyTorch, written from its specification.

The yardstick of torch_reference.py; tests/data/mt3_family/make_tiny.py computes expected values
with it.
"""

import torch
import torch.nn.functional as F


def positions(rows, size):
    frequency = 1.0 / (torch.tensor(10000.0) ** (torch.arange(0, size, 2).float() / size))
    angle = torch.arange(rows).float()[:, None] * frequency[None]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Mt3:
    """`weights`: the flat state dict. All linear layers are without bias."""

    def __init__(self, weights, heads):
        self.w, self.heads = weights, heads
        self.size = weights["proj.weight"].shape[0]
        self.layers = {
            stack: sum(k.startswith(stack + ".block.") and k.endswith("layer.0.layer_norm.weight") for k in weights)
            for stack in ("encoder", "decoder", "segmem_encoder")
        }
        self.positions = positions(1026, self.size)

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.w[name + ".weight"]

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def attend(self, q, k, v, name):
        weights = torch.softmax(q @ k.transpose(-1, -2), dim=-1)
        return F.linear((weights @ v).transpose(1, 2).flatten(2), self.w[name + ".o.weight"])

    def project(self, x, name, which):
        return self.split(F.linear(x, self.w[f"{name}.{which}.weight"]))

    def feed_forward(self, x, name):
        y = self.norm(x, name + ".layer_norm")
        dense = name + ".DenseReluDense."
        gate = F.gelu(F.linear(y, self.w[dense + "wi_0.weight"]), approximate="tanh")
        return x + F.linear(gate * F.linear(y, self.w[dense + "wi_1.weight"]), self.w[dense + "wo.weight"])

    def encode(self, features):
        return self.encode_rows(F.linear(features, self.w["proj.weight"]), "encoder")

    def encode_rows(self, x, stack):
        x = x + self.positions[: x.shape[1]]
        for layer in range(self.layers[stack]):
            name = f"{stack}.block.{layer}.layer"
            y, attention = self.norm(x, name + ".0.layer_norm"), name + ".0.SelfAttention"
            q, k, v = (self.project(y, attention, which) for which in "qkv")
            x = self.feed_forward(x + self.attend(q, k, v, attention), name + ".1")
        return self.norm(x, stack + ".final_layer_norm")

    def memory(self, ids, rows=64):
        """MR-MT3's memory of a segment's ids, which are filled up with zeros: [1, rows, width]"""
        ids = F.pad(ids, (0, 1024 - len(ids)))
        embedded = F.linear(F.embedding(ids, self.w["decoder_embed_tokens.weight"]), self.w["segmem_proj.weight"])
        return self.encode_rows(embedded[None], "segmem_encoder")[:, :rows]

    def contexts(self, encoded):
        """What the decoder attends to: with MR-MT3 also the memory of an empty segment."""
        if not self.layers["segmem_encoder"]:
            return encoded
        memory = self.memory(torch.tensor([1134, 1]))
        return torch.cat([encoded, memory.expand(len(encoded), -1, -1)], dim=1)

    def with_memory(self, encoded, first, rows, count):
        """MR-MT3's greedy ids of successive segments, with a leading 0, and the memory of each. `first`
        are the ids that stand for the segment before the first."""
        previous, memories, sequences = torch.tensor(first), [], []
        for segment in encoded:
            memories.append(self.memory(previous, rows))
            context = torch.cat([segment[None], memories[-1]], dim=1)
            previous = F.pad(self.greedy(context, count)[0], (1, 0))[:1024]
            sequences.append(previous)
        return sequences, memories

    def start(self, encoded):
        """Caches: for each layer [self keys, self values, cross keys, cross values]."""
        caches = []
        for layer in range(self.layers["decoder"]):
            name = f"decoder.block.{layer}.layer.1.EncDecAttention"
            caches.append([None, None] + [self.project(encoded, name, which) for which in "kv"])
        return caches

    def step(self, ids, position, caches):
        x = (F.embedding(ids, self.w["decoder_embed_tokens.weight"]) + self.positions[position])[:, None]
        for layer, cache in enumerate(caches):
            name = f"decoder.block.{layer}.layer"
            y, attention = self.norm(x, name + ".0.layer_norm"), name + ".0.SelfAttention"
            q, k, v = (self.project(y, attention, which) for which in "qkv")
            if cache[0] is not None:
                k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
            cache[0], cache[1] = k, v
            x = x + self.attend(q, k, v, attention)
            y, attention = self.norm(x, name + ".1.layer_norm"), name + ".1.EncDecAttention"
            x = x + self.attend(self.project(y, attention, "q"), cache[2], cache[3], attention)
            x = self.feed_forward(x, name + ".2")
        return F.linear(self.norm(x, "decoder.final_layer_norm")[:, 0], self.w["lm_head.weight"])

    def greedy(self, encoded, count, stop_at_eos=True):
        """Ids of every row, without the start id; rows go on after EOS until all have ended."""
        caches, ids, out = self.start(encoded), torch.zeros(len(encoded), dtype=torch.long), []
        ended = torch.zeros(len(encoded), dtype=torch.bool)
        for position in range(count):
            ids = self.step(ids, position, caches).argmax(-1)
            out.append(ids)
            ended |= ids == 1
            if stop_at_eos and ended.all():
                break
        return torch.stack(out, dim=1)
