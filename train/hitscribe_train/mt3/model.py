"""MT3 and MR-MT3: front end and network, with the names and shapes of their published checkpoints.

A T5 without relative positions: RMS norms before each part, attention without scaling and without biases,
gated GELU; sinusoidal positions are added to the projected features and to the embedded ids. The engine's
implementation: engine/models/src/mt3_family (mt3.rs, t5); its front end: engine/core/src/features/mt3_family.rs, `Mt3`.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

SAMPLE_RATE = 16_000
HOP, WINDOW = 128, 2048
FRAMES = 256
SEGMENT_SAMPLES = HOP * FRAMES
LOWEST_HZ, HIGHEST_HZ = 20.0, 7600.0
SILENCE = 1e-5  # stands for magnitudes that are zero, and for those alone

PAD, EOS, TIE = 0, 1, 1134  # a sequence begins with PAD
MAX_IDS = 1024
# What MR-MT3's memory holds before the first segment, by variant. Their tensors are the same.
FIRST_MEMORY = {"v2-with-prev": (TIE, EOS), "v2": (EOS,)}
HEAD_SIZE = 64  # of the published models; the engine takes it for granted where nothing else is given


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of the published checkpoint."""

    bands: int = 512
    width: int = 512
    heads: int = 6
    head_size: int = HEAD_SIZE
    feed_forward: int = 1024
    encoder_layers: int = 8
    decoder_layers: int = 8
    vocabulary: int = 1536
    memory_rows: int = 0  # 0: MT3, without memory
    memory_layers: int = 1
    memory_variant: str = "v2-with-prev"

    @classmethod
    def of(cls, values, hparams=None):
        """The sizes of a checkpoint's tensors. Those that do not follow from them come from `hparams`, a T5
        configuration, or are the published ones."""
        hparams = hparams or {}
        head_size = hparams.get("d_kv")

        def layers(stack):
            count = 0
            while f"{stack}.block.{count}.layer.0.layer_norm.weight" in values:
                count += 1
            return count

        try:
            width, bands = values["proj.weight"].shape
            inner = values["encoder.block.0.layer.0.SelfAttention.q.weight"].shape[0]
            feed_forward = values["encoder.block.0.layer.1.DenseReluDense.wi_0.weight"].shape[0]
            vocabulary = values["decoder_embed_tokens.weight"].shape[0]
        except KeyError as missing:
            raise ValueError(f"no tensor {missing}: not an MT3 checkpoint") from None
        head_size = head_size or HEAD_SIZE
        if inner % head_size:
            raise ValueError(f"attention is {inner} wide, which is no multiple of a head's {head_size}")
        memory = layers("segmem_encoder")
        return cls(
            bands, width, inner // head_size, head_size, feed_forward, layers("encoder"), layers("decoder"), vocabulary,
            hparams.get("segmem_length", 64) if memory else 0, memory or 1,
            hparams.get("memory_variant", cls.memory_variant),
        )  # fmt: skip


def mel_triangles(bands):
    """[WINDOW / 2 + 1, bands]: triangles that are linear in mel, not normalised; the first bin has no part."""
    mel = lambda hz: 2595.0 * math.log10(1.0 + hz / 700.0)
    edges = torch.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), bands + 2, dtype=torch.float64)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = torch.tensor([mel(i * SAMPLE_RATE / WINDOW) for i in range(WINDOW // 2 + 1)], dtype=torch.float64)[:, None]
    filters = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0)
    filters[0] = 0
    return filters.float()


class LogMel(nn.Module):
    """[batch, SEGMENT_SAMPLES] -> [batch, FRAMES, bands]; frame t begins at sample t * HOP.

    Each segment stands alone: after its end lies silence. Rows from `frames` (one number a segment) on are
    zero, as those after the end of a recording are.
    """

    def __init__(self, bands):
        super().__init__()
        self.register_buffer("filters", mel_triangles(bands), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW, dtype=torch.float64).float(), persistent=False)

    def forward(self, audio, frames=None):
        padded = F.pad(audio, (0, SEGMENT_SAMPLES - audio.shape[-1] + WINDOW - HOP))
        spectrum = torch.stft(padded, WINDOW, HOP, window=self.window, center=False, return_complex=True)
        magnitude = torch.view_as_real(spectrum).square().sum(-1).sqrt()
        mel = magnitude.transpose(1, 2) @ self.filters
        features = torch.where(mel > 0, mel, SILENCE).log()
        if frames is not None:
            rows = torch.arange(FRAMES, device=audio.device)
            features = features * (rows < frames[:, None])[..., None]
        return features


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, 1e-6)


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        inner = config.heads * config.head_size
        self.q, self.k, self.v = (linear(config.width, inner) for _ in range(3))
        self.o = linear(inner, config.width)
        # Scores are not scaled, so that queries must start smaller.
        nn.init.normal_(self.q.weight, 0.0, (config.width * config.head_size) ** -0.5)

    def forward(self, x, context, is_causal=False):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(context)), split(self.v(context))
        # In 16-bit floats its gradient takes CPUs three times as long.
        with torch.autocast(x.device.type, enabled=x.device.type != "cpu"):
            if x.device.type == "cpu":
                q, k, v = q.float(), k.float(), v.float()
            out = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal, scale=1.0)
        return self.o(out.transpose(1, 2).flatten(2))


class GatedFeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wi_0, self.wi_1 = (linear(config.width, config.feed_forward) for _ in range(2))
        self.wo = linear(config.feed_forward, config.width)

    def forward(self, x):
        return self.wo(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))


class Layer(nn.Module):
    """A norm and what follows it, under the name that the checkpoint has for that."""

    def __init__(self, name, part, config):
        super().__init__()
        self.add_module(name, part)
        self.layer_norm = Norm(config.width)
        self.name = name

    def forward(self, x, *context, **how):
        normed = self.layer_norm(x)
        return x + getattr(self, self.name)(normed, *(context or [normed] * (self.name == "SelfAttention")), **how)


class Block(nn.Module):
    def __init__(self, config, has_context):
        super().__init__()
        layers = [Layer("SelfAttention", Attention(config), config)]
        if has_context:
            layers.append(Layer("EncDecAttention", Attention(config), config))
        layers.append(Layer("DenseReluDense", GatedFeedForward(config), config))
        self.layer = nn.ModuleList(layers)

    def forward(self, x, context=None):
        x = self.layer[0](x, is_causal=context is not None)
        if context is not None:
            x = self.layer[1](x, context)
        return self.layer[-1](x)


class Positions(nn.Module):
    """Sines, then cosines, of the position times each of `inv_freq`."""

    def __init__(self, width):
        super().__init__()
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(0, width, 2).float() / width))

    def forward(self, count):
        angles = torch.arange(count, device=self.inv_freq.device)[:, None] * self.inv_freq
        return torch.cat([angles.sin(), angles.cos()], 1)


class Stack(nn.Module):
    """Blocks with what they read: a projection of features, or an embedding of ids."""

    def __init__(self, config, reads, layers, has_context):
        super().__init__()
        self.embed_tokens = reads
        self.pos_emb = Positions(config.width)
        self.block = nn.ModuleList(Block(config, has_context) for _ in range(layers))
        self.final_layer_norm = Norm(config.width)

    def forward(self, inputs, context=None):
        x = self.embed_tokens(inputs)
        x = x + self.pos_emb(x.shape[1])
        for block in self.block:
            x = block(x, context)
        return self.final_layer_norm(x)


class Mt3(nn.Module):
    """Its state has the keys of mt3.pth; `proj` and `decoder_embed_tokens` are there under two names each."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.front_end = LogMel(config.bands)
        self.proj = linear(config.bands, config.width)
        self.decoder_embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.encoder = Stack(config, self.proj, config.encoder_layers, False)
        self.decoder = Stack(config, self.decoder_embed_tokens, config.decoder_layers, True)
        self.lm_head = linear(config.width, config.vocabulary)
        if config.memory_rows:
            self.segmem_proj = linear(config.width, config.width)
            self.segmem_encoder = Stack(config, self.segmem_proj, config.memory_layers, False)

    def encode(self, features):
        """[batch, frames, bands] -> [batch, frames, width]"""
        return self.encoder(features)

    def logits(self, ids, encoded):
        """What follows each of `ids` [batch, length], which begin with PAD: [batch, length, vocabulary]"""
        return self.lm_head(self.decoder(ids, encoded))

    def memory(self, previous):
        """What is kept of the segments before: [batch, rows, width] of their ids [batch, length], which begin with
        PAD as the decoder's do. All of MAX_IDS are encoded and attended to, PAD too."""
        ids = F.pad(previous[:, :MAX_IDS], (0, max(0, MAX_IDS - previous.shape[1])), value=PAD)
        return self.segmem_encoder(self.decoder_embed_tokens(ids))[:, : self.config.memory_rows]

    def first_memory(self):
        """The ids that stand for the segment before the first: [1, MAX_IDS]"""
        ids = torch.tensor(FIRST_MEMORY[self.config.memory_variant], device=self.lm_head.weight.device)
        return F.pad(ids, (0, MAX_IDS - len(ids)), value=PAD)[None]

    def context(self, encoded, previous=None):
        """What the decoder attends to: the segments, and their memories."""
        return torch.cat([encoded, self.memory(previous)], 1) if self.config.memory_rows else encoded

    def forward(self, audio, frames, ids, previous=None):
        with torch.autocast(audio.device.type, enabled=False):
            features = self.front_end(audio.float(), frames)
        return self.logits(ids, self.context(self.encode(features), previous))

    @torch.no_grad()
    def greedy(self, encoded, max_ids=MAX_IDS):
        """The likeliest ids of each segment, without the first PAD, PAD after the end."""
        ids = torch.full((len(encoded), 1), PAD, device=encoded.device)
        ended = torch.zeros(len(encoded), dtype=torch.bool, device=encoded.device)
        while ids.shape[1] <= max_ids and not ended.all():
            following = self.logits(ids, encoded)[:, -1].argmax(-1).masked_fill(ended, PAD)
            ids = torch.cat([ids, following[:, None]], 1)
            ended = ended | (following == EOS)
        return ids[:, 1:]

    @torch.no_grad()
    def greedy_song(self, encoded, max_ids=MAX_IDS):
        """As `greedy`, of the successive segments of a recording, each with the memory of the one before."""
        if not self.config.memory_rows:
            return list(self.greedy(encoded, max_ids))
        out, previous = [], self.first_memory()
        for segment in encoded:
            ids = self.greedy(self.context(segment[None], previous), max_ids)
            previous = F.pad(ids, (1, 0), value=PAD)
            out.append(ids[0])
        return out
