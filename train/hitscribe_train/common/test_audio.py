"""The sound of the parity packs."""

import torch

from .front_end import SAMPLE_RATE


def test_audio(n):
    """`n` samples: clicks with decaying noise and tones over a faint noise floor, with a silent stretch."""
    generator = torch.Generator().manual_seed(1)
    t = torch.arange(n) / SAMPLE_RATE
    audio = 1e-4 * torch.randn(n, generator=generator)
    for index in range(12):
        start = int((0.05 + 0.23 * index) * SAMPLE_RATE)
        if start >= n:
            break
        age = t[: n - start]
        noise = torch.randn(n - start, generator=generator) * torch.exp(-age * (15 + 8 * index))
        tone = torch.sin(2 * torch.pi * (60 + 170 * index) * age) * torch.exp(-age * 20)
        audio[start:] += 0.6 / (1 + index % 3) * (tone if index % 2 else noise)
    audio[n // 2 : n // 2 + SAMPLE_RATE // 3] = 0.0
    return audio
