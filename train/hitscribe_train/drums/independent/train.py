"""Trains the drum network of independent classes:

    python -m hitscribe_train.drums.independent.train --renderer ... --bank ... --pool ... --run DIR --minutes N
"""

import os

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from ...common.loop import fit_rendered, renderer_arguments
from .data import FRAMES, segments
from .model import FUTURE_FRAMES, DrumNet
from .weights_file import from_weights_file, measure_norms

# Frames near the edges lack context that the network has in use: they are not judged.
FIRST_FRAME, LAST_FRAME = 64, FRAMES - FUTURE_FRAMES
POSITIVE_WEIGHT = 3.0


def losses(net, audio, targets):
    """The parts of the loss by name."""
    outputs = net(audio)
    onset, velocity, shift = (o[..., FIRST_FRAME:LAST_FRAME] for o in outputs)
    target, weight, target_velocity, target_shift, hit = (t[..., FIRST_FRAME:LAST_FRAME] for t in targets)
    weight = weight * torch.where(target > 0, POSITIVE_WEIGHT, 1.0)
    onset_loss = (F.binary_cross_entropy_with_logits(onset, target, reduction="none") * weight).sum() / (hit.sum() + 50)
    hits = hit.sum() + 1
    velocity_loss = ((torch.sigmoid(velocity) - target_velocity).square() * hit).sum() / hits
    shift_loss = (F.smooth_l1_loss(shift, target_shift, reduction="none", beta=0.1) * hit).sum() / hits
    return {"onset": onset_loss, "velocity": velocity_loss, "shift": shift_loss}


LOSS_WEIGHTS = {"onset": 1.0, "velocity": 2.0, "shift": 2.0}


def from_exported(options, batches=20):
    """The network of the weights file `options.start`, ready to be trained on."""
    net, _ = from_weights_file(options.start)
    fresh = segments(options.renderer, options.bank, options.pool, options.seed + 500_000)
    loader = iter(DataLoader(fresh, options.batch))
    measure_norms(net, (next(loader)[0] for _ in range(batches)))
    return net


def main():
    options = renderer_arguments(__doc__).parse_args()
    net = DrumNet()
    if (options.start or "").endswith(".safetensors"):
        # Nothing to start from where a run goes on.
        if not os.path.exists(os.path.join(options.run, "checkpoint.pt")):
            net = from_exported(options)
        options.start = None
    fit_rendered(net, segments, losses, LOSS_WEIGHTS, options)


if __name__ == "__main__":
    main()
