"""What `finetune.py` does with a checkpoint of MT3 or MR-MT3: teacher-forced training on tokens."""

import torch
import torch.nn.functional as F

from ..common.loop import Optimizer, fit
from ..common.recordings import Recordings
from .checkpoint import load, write
from .data import RECORD_BYTES, WithMemory, parse
from .model import PAD

RATE = 3e-4
LOSS_WEIGHTS = {"tokens": 1.0}


class AdamW(Optimizer):
    """AdamW alone; what is no matrix does not decay."""

    def __init__(self, net, rate):
        self.kernels, self.matrices = [], []
        parameters = list(net.parameters())
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.02},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ]
        self.parts = (torch.optim.AdamW(groups, rate, betas=(0.9, 0.98)),)


def losses(net, audio, targets):
    """Mean cross-entropy of the next id. With memory the targets have the ids of a segment before."""
    frames, ids, *previous = targets
    ids = ids[:, : (ids != PAD).sum(1).max()]
    before = F.pad(ids[:, :-1], (1, 0), value=PAD)
    logits = net(audio, frames, before, *previous)
    return {"tokens": F.cross_entropy(logits.flatten(0, 1).float(), ids.flatten(), ignore_index=PAD)}


def finetune(options):
    """From `options.start` (any part of it that fits `options.config`) to `options.out`."""
    changes = {}
    if options.memory is not None:
        changes = {"memory_rows": options.memory, "memory_variant": options.memory_variant}
    net, report = load(options.start, options.config, **changes)
    if options.start:
        print(f"{options.start}: {report}", flush=True)
    tokens = ("--tokens", "mt3")
    config = net.config

    def recordings(seed, first):
        if not config.memory_rows:
            return Recordings(options, seed, first, RECORD_BYTES, parse, tokens)
        one = WithMemory(options.horizon, config.memory_variant, options.shuffle, seed)
        more = (*tokens, "--history", str(options.horizon))
        return Recordings(options, seed, first, one.record_bytes, one, more)

    tuned = fit(net, recordings, losses, LOSS_WEIGHTS, options, AdamW)
    write(tuned, options.out)
