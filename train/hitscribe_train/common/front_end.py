"""From audio to features: band powers of several transforms relative to the running level, as logarithms.

Every network has bands of its own. The engine's implementation is engine/core/src/features/log_bands.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

SAMPLE_RATE = 32_000
LEVEL_FLOOR = 1e-9  # mean square: about -90 dBFS
FLOOR = 1e-6  # power of a band relative to the level reference


def triangles(edges, n_fft):
    """Triangles that rise from edges[i] to edges[i + 1] and fall to edges[i + 2] (Hz), each of unit sum.

    A triangle narrower than a bin takes the interpolated bin at its centre. [bands, n_fft / 2 + 1]
    """
    edges = torch.as_tensor(edges, dtype=torch.float64)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    width = SAMPLE_RATE / n_fft
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * width
    # At least one bin wide to each side: no band is empty, narrow ones interpolate.
    low, high = torch.minimum(low, centre - width), torch.maximum(high, centre + width)
    filters = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0)
    return (filters / filters.sum(1, keepdim=True)).float()


class FrontEnd(nn.Module):
    """[batch, samples] -> [batch, transforms, bands, frames]; frame t is centred on sample t * hop.

    The level reference is the mean power of the frames from `level_past` before to `level_future` after.
    """

    def __init__(self, edges, fft_sizes, hop, level_past, level_future, log_offset, log_scale):
        super().__init__()
        self.fft_sizes, self.hop = fft_sizes, hop
        self.level_past, self.level_future = level_past, level_future
        self.log_offset, self.log_scale = log_offset, log_scale
        for n_fft in fft_sizes:
            self.register_buffer(f"filters_{n_fft}", triangles(edges, n_fft), persistent=False)
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def band_powers(self, audio, n_fft):
        """Power of each band, scaled so that the window does not matter: mean-square units per bin."""
        window = getattr(self, f"window_{n_fft}")
        padded = F.pad(audio, (n_fft // 2, n_fft // 2))
        spectrum = torch.stft(padded, n_fft, self.hop, window=window, center=False, return_complex=True)
        power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
        frames = audio.shape[-1] // self.hop
        return torch.matmul(getattr(self, f"filters_{n_fft}"), power[..., :frames])

    def level(self, audio):
        """Mean square around each frame; silence outside the audio. [batch, frames]"""
        frames = audio.shape[-1] // self.hop
        power = audio[..., : frames * self.hop].reshape(*audio.shape[:-1], frames, self.hop).square().mean(-1)
        total = F.pad(power.double().cumsum(-1), (1, 0))
        t = torch.arange(frames, device=audio.device)
        first, last = (t - self.level_past).clamp(min=0), (t + self.level_future + 1).clamp(max=frames)
        mean = (total[..., last] - total[..., first]) / (self.level_past + self.level_future + 1)
        return mean.float().clamp(min=0) + LEVEL_FLOOR

    def forward(self, audio):
        level = self.level(audio)[..., None, None, :]
        powers = torch.stack([self.band_powers(audio, n) for n in self.fft_sizes], dim=-3)
        return (torch.log10(powers / level + FLOOR) + self.log_offset) * self.log_scale


def front_end_config(model, scale, lowest_hz, highest_hz):
    """The parameters of a model's front end; its bands are evenly spaced on `scale` between these edges."""
    return {
        "sample_rate_hz": SAMPLE_RATE,
        "hop_samples": model.HOP,
        "bands": model.BANDS,
        "scale": scale,
        "fft_sizes": list(model.FFT_SIZES),
        "lowest_hz": lowest_hz,
        "highest_hz": highest_hz,
        "level_past_frames": model.LEVEL_PAST,
        "level_future_frames": model.LEVEL_FUTURE,
        "level_floor": LEVEL_FLOOR,
        "floor": FLOOR,
        "log_offset": model.LOG_OFFSET,
        "log_scale": model.LOG_SCALE,
    }
