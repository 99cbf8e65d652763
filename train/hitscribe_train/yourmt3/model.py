"""YourMT3 (YPTF.MoE+Multi): front end and network, with the names and shapes of its published checkpoint.

A spectrogram, residual convolutions, a Perceiver-TF whose feed-forward layers are mixtures of experts, and one T5
decoder for all channels, which do not see each other. With one channel all latents go to one decoder. The engine's
implementation: engine/models/src/mt3_family (yourmt3.rs, perceiver.rs, pre_encoder.rs); its front end:
engine/core/src/features/mt3_family.rs, `YourMt3`.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..mt3.model import Block, Norm, linear
from ..mt3.model import Config as T5Config
from .perceiver import Perceiver, PerceiverConfig

SAMPLE_RATE = 16_000
HOP, WINDOW = 300, 2048
FRAMES, BINS = 110, 1024
SEGMENT_SAMPLES = 32_767

PAD, EOS = 0, 1  # a sequence begins with PAD
CHANNELS = 13  # of the published model
MAX_IDS = {CHANNELS: 256, 1: 1024}  # of a channel of a segment, by number of channels


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of the published checkpoint."""

    convolution_channels: int = 128
    convolution_blocks: int = 3  # each halves the number of bins
    encoder: PerceiverConfig = field(default_factory=PerceiverConfig)
    channels: int = CHANNELS
    decoder: T5Config = field(default_factory=lambda: T5Config(vocabulary=596))
    positions: int = 1034

    def __post_init__(self):
        if self.encoder.latents % self.channels:
            raise ValueError(f"{self.encoder.latents} latents are no multiple of {self.channels} channels")


class Spectrogram(nn.Module):
    """[batch, SEGMENT_SAMPLES] -> [batch, FRAMES, BINS], from 0 to nearly 1 in each segment.

    In 64 bits, as in the engine: the smallest bin, by which a segment is scaled, is often a rounding error otherwise.
    """

    def __init__(self):
        super().__init__()
        self.stft = nn.Module()
        self.stft.register_buffer("window", torch.hann_window(WINDOW, dtype=torch.float64).float())

    def forward(self, audio):
        window = self.stft.window.double()
        spectrum = torch.stft(audio.double(), WINDOW, HOP, window=window, pad_mode="reflect", return_complex=True)
        # Without the mean of the signal.
        features = (spectrum.abs()[:, 1:].transpose(1, 2).float() + 1e-5).log()
        low, high = features.amin((1, 2), keepdim=True), features.amax((1, 2), keepdim=True)
        return (features - low) / (high - low + 0.008)


class ConvolutionBlock(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(inputs, channels, 1) if inputs != channels else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return F.avg_pool2d((y + self.shortcut(x)).relu(), (1, 2))


class PreEncoder(nn.Module):
    """[batch, frames, bins] -> [batch, frames, channels, fewer bins]"""

    def __init__(self, config):
        super().__init__()
        channels = config.convolution_channels
        inputs = [1] + [channels] * (config.convolution_blocks - 1)
        self.blocks = nn.ModuleList(ConvolutionBlock(count, channels) for count in inputs)

    def forward(self, spectrogram):
        x = spectrogram[:, None]
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


class PreDecoder(nn.Module):
    """[batch, frames, latents, size] -> [batch, channels, frames, width]: neighbouring latents form a channel."""

    def __init__(self, config):
        super().__init__()
        self.channels = config.channels
        inputs = config.encoder.latents // config.channels * config.encoder.size
        self.linear = linear(inputs, config.decoder.width)

    def forward(self, encoded):
        return self.linear(encoded.unflatten(2, (self.channels, -1)).flatten(3).transpose(1, 2))


class Stack(nn.Module):
    def __init__(self, config):
        super().__init__()
        t5 = config.decoder
        self.additive_pe = nn.Module()
        angles = torch.arange(config.positions)[:, None] * 10000.0 ** (-torch.arange(0, t5.width, 2) / t5.width)
        self.additive_pe.register_buffer("weight", torch.cat([angles.sin(), angles.cos()], 1))
        self.block = nn.ModuleList(Block(t5, True) for _ in range(t5.decoder_layers))
        self.final_layer_norm = Norm(t5.width)

    def forward(self, x, context):
        x = x + self.additive_pe.weight[: x.shape[1]]
        for block in self.block:
            x = block(x, context)
        return self.final_layer_norm(x)


class YourMt3(nn.Module):
    """Its state has the keys of last.ckpt's `state_dict`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        t5 = config.decoder
        self.spectrogram = Spectrogram()
        self.pre_encoder = nn.Sequential(PreEncoder(config))
        self.encoder = Perceiver(config.encoder, BINS >> config.convolution_blocks)
        self.pre_decoder = nn.Sequential(PreDecoder(config))
        self.embed_tokens = nn.Embedding(t5.vocabulary, t5.width)
        self.decoder = nn.Module()
        self.decoder.decoder = Stack(config)
        self.lm_head = nn.Module()
        self.lm_head.lm_head = linear(t5.width, t5.vocabulary)
        nn.init.normal_(self.lm_head.lm_head.weight)

    @property
    def max_ids(self):
        """Longest sequence of a channel of a segment."""
        return min(MAX_IDS.get(self.config.channels, MAX_IDS[CHANNELS]), self.config.positions)

    def encode(self, spectrogram):
        """[batch, FRAMES, BINS] -> [batch, frames, latents, size]"""
        return self.encoder(self.pre_encoder(spectrogram))

    def contexts(self, encoded):
        """What the decoder attends to: [batch * channels, frames, width], the channels of a segment together."""
        return self.pre_decoder(encoded).flatten(0, 1)

    def logits(self, ids, contexts):
        """What follows each of `ids` [rows, length], which begin with PAD: [rows, length, vocabulary]"""
        hidden = self.decoder.decoder(self.embed_tokens(ids), contexts)
        return self.lm_head.lm_head(hidden * self.config.decoder.width**-0.5)

    def forward(self, audio, ids):
        """Logits of `ids` [batch, channels, length] of segments [batch, SEGMENT_SAMPLES]."""
        with torch.autocast(audio.device.type, enabled=False):
            spectrogram = self.spectrogram(audio)
        return self.logits(ids.flatten(0, 1), self.contexts(self.encode(spectrogram)))

    @torch.no_grad()
    def greedy(self, contexts, max_ids, allowed=None):
        """The likeliest ids of each row of `contexts`, without the first PAD, PAD after the end. As in the published
        program the first id cannot end a sequence. `allowed` are the ids to choose from, otherwise all."""
        bias = torch.zeros(self.config.decoder.vocabulary, device=contexts.device)
        if allowed is not None:
            bias.fill_(-math.inf)[torch.as_tensor(sorted(allowed), device=contexts.device)] = 0
        ids = torch.full((len(contexts), 1), PAD, device=contexts.device)
        ended = torch.zeros(len(contexts), dtype=torch.bool, device=contexts.device)
        while ids.shape[1] <= max_ids and not ended.all():
            # Only rows that go on.
            rows = (~ended).nonzero()[:, 0]
            following = torch.full_like(ids[:, 0], PAD)
            following[rows] = (self.logits(ids[rows], contexts[rows])[:, -1].float() + bias).argmax(-1)
            if ids.shape[1] > 1:
                ended = ended | (following == EOS)
            ids = torch.cat([ids, following[:, None]], 1)
        return ids[:, 1:]
