"""Trains the pitched network: python -m hitscribe_train.pitched.train --renderer ... --bank ... --pool ... --run DIR --minutes N

Stops and goes on as `common/loop.py` says.
"""

import torch
import torch.nn.functional as F

from ..common.loop import fit_rendered, renderer_arguments
from . import model as m
from .data import FRAMES, segments

# Frames near the edges lack context that the network has in use: they are not judged.
FIRST_FRAME, LAST_FRAME = 16, FRAMES - m.FUTURE_FRAMES
POSITIVE_WEIGHT = 2.0
# A note is judged where one of its lowest partials rises this far above the floor of the features: about
# 30 dB below everything else together.
FAINTEST = 3.2
AUDIBLE_HARMONICS = (1, 2, 3)


def salience(features):
    """The strongest of a key's lowest partials in each frame, [batch, keys, frames]."""
    best = None
    for harmonic, first in zip(m.HARMONICS, m.harmonic_bands()):
        if harmonic not in AUDIBLE_HARMONICS:
            continue
        for band in range(first + 1, first + 2 * m.REACH):
            last = min(band + m.BANDS_PER_SEMITONE * (m.KEYS - 1) + 1, m.BANDS)
            part = features[:, 0, band : last : m.BANDS_PER_SEMITONE]
            part = F.pad(part, (0, 0, 0, m.KEYS - part.shape[1]))
            best = part if best is None else torch.maximum(best, part)
    return best


def losses(net, audio, targets):
    with torch.autocast(audio.device.type, enabled=False), torch.no_grad():
        features = net.front_end(audio.float())
    outputs = net.from_features(features)
    # An onset may be faint at first: the loudest of the next frames counts.
    loud = salience(features)
    audible = (F.max_pool1d(F.pad(loud, (0, 5)), 6, stride=1) > FAINTEST).float()
    cut = slice(FIRST_FRAME, LAST_FRAME)
    onset, sounding, velocity, shift = (o[..., cut] for o in outputs)
    onset_target, sounding_target, weight, velocity_target, shift_target, hit = (t[..., cut] for t in targets)
    audible, loud = audible[..., cut], (loud[..., cut] > FAINTEST).float()

    hit = hit * audible
    hits = hit.sum() + 1
    onset_weight = torch.where(onset_target > 0, POSITIVE_WEIGHT * audible, 1.0)
    onset_loss = F.binary_cross_entropy_with_logits(onset, onset_target, onset_weight, reduction="sum") / (hits + 50)
    weight = weight * torch.where(sounding_target > 0, loud, 1.0)
    sounding_loss = F.binary_cross_entropy_with_logits(sounding, sounding_target, weight, reduction="sum")
    sounding_loss = sounding_loss / (sounding_target.sum() + 1000)
    velocity_loss = ((torch.sigmoid(velocity) - velocity_target).square() * hit).sum() / hits
    shift_loss = (F.smooth_l1_loss(shift, shift_target, reduction="none", beta=0.1) * hit).sum() / hits
    return {"onset": onset_loss, "sounding": sounding_loss, "velocity": velocity_loss, "shift": shift_loss}


LOSS_WEIGHTS = {"onset": 1.0, "sounding": 0.5, "velocity": 2.0, "shift": 1.0}


def main():
    fit_rendered(m.PitchNet(), segments, losses, LOSS_WEIGHTS, renderer_arguments(__doc__).parse_args())


if __name__ == "__main__":
    main()
