#!/usr/bin/env python3
"""MT3's network in plain PyTorch, written from its specification: the yardstick of `cargo bench`.

    mt3_torch.py CHECKPOINT.pth [--threads 1] [--tokens 64] [--batch 1]

prints the milliseconds of one encoder run and of one decoded token with a key-value cache, f32.
`Mt3` is also what tests/data/mt3_family/make_tiny.py computes the expected values with.
"""

import argparse
import time

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
            for stack in ("encoder", "decoder")
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
        x = F.linear(features, self.w["proj.weight"]) + self.positions[: features.shape[1]]
        for layer in range(self.layers["encoder"]):
            name = f"encoder.block.{layer}.layer"
            y, attention = self.norm(x, name + ".0.layer_norm"), name + ".0.SelfAttention"
            q, k, v = (self.project(y, attention, which) for which in "qkv")
            x = self.feed_forward(x + self.attend(q, k, v, attention), name + ".1")
        return self.norm(x, "encoder.final_layer_norm")

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


def milliseconds(work, repeats):
    work()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        model = Mt3(torch.load(args.checkpoint, map_location="cpu", weights_only=True), heads=6)
        features = torch.randn(args.batch, 256, model.w["proj.weight"].shape[1])
        encoded = model.encode(features)
        encoder = milliseconds(lambda: model.encode(features), args.repeats)
        decoder = milliseconds(lambda: model.greedy(encoded, args.tokens, stop_at_eos=False), args.repeats)
    print(f"torch {torch.__version__} threads {args.threads} batch {args.batch}: "
          f"encoder {encoder / args.batch:.1f} ms per segment, decode {decoder / args.tokens:.2f} ms per step of {args.batch}")


if __name__ == "__main__":
    main()
