"""What `finetune.py` does with a checkpoint of YourMT3: teacher-forced training on the tokens of one task."""

import argparse
import itertools

import torch
import torch.nn.functional as F

from ..common.loop import fit
from ..common.recordings import Recordings
from ..common.watch import Watch
from ..mt3.finetune import AdamW
from .checkpoint import load, write
from .data import Parser
from .model import PAD
from .score import onset_f
from .tasks import TASKS

RATE = 1e-4
LOSS_WEIGHTS = {"tokens": 1.0}
VALIDATION_SEGMENTS = 128
# Of these the onsets are transcribed, too: one id after the other, which takes longer.
TRANSCRIBED_SEGMENTS = 32
# How much longer than the longest that is right a sequence may get there.
SPARE_IDS = 16


def losses(net, audio, targets):
    """Mean cross-entropy of the next id over all channels."""
    (ids,) = targets
    ids = ids[..., : (ids != PAD).sum(-1).max()]
    logits = net(audio, F.pad(ids[..., :-1], (1, 0), value=PAD))
    return {"tokens": F.cross_entropy(logits.flatten(0, 1).float(), ids.flatten(), ignore_index=PAD)}


class Validation:
    """Loss and onset F of a network on always the same segments of recordings that are not trained on."""

    def __init__(self, examples, task, batch):
        self.examples, self.task, self.batch = examples, task, batch

    @torch.no_grad()
    def __call__(self, net):
        device = net.embed_tokens.weight.device
        loss = ids_in_all = 0
        estimated, references = [], []
        for first in range(0, len(self.examples), self.batch):
            examples = torch.utils.data.default_collate(self.examples[first : first + self.batch])
            audio, ids = (part.to(device) for part in examples)
            count = (ids != PAD).sum().item()
            loss += losses(net, audio, (ids,))["tokens"].item() * count
            ids_in_all += count
            if first < TRANSCRIBED_SEGMENTS:
                contexts = net.contexts(net.encode(net.spectrogram(audio)))
                # Networks that have learnt little do not end.
                longest = (ids != PAD).sum(-1).max().item() + SPARE_IDS
                estimated += net.greedy(contexts, longest, self.task.ids).tolist()
                references += ids.flatten(0, 1).tolist()
        return {"loss": loss / ids_in_all, "onset F": onset_f(references, estimated)}


def finetune(options):
    """From `options.start` (any part of it that fits `options.config`) to `options.out`."""
    task = TASKS[options.stem]
    channels = 1 if options.one_channel else None
    net, report = load(options.start, options.config, channels, task.channels, training=True)
    if options.start:
        print(f"{options.start}: {report}", flush=True)
    channels = net.config.channels
    parser = Parser(task, channels)
    tokens = ("--tokens", "yourmt3", *["--one-stream"] * (channels == 1))
    policy = [f"--{name}={getattr(options, name.replace('-', '_'))}" for name in ("silent", "max-k", "tau", "alpha")]

    def recordings(seed, first):
        return Recordings(options, seed, first, parser.record_bytes, parser, (*tokens, *policy))

    validation = None
    if options.validation:
        held_out = argparse.Namespace(**vars(options) | {"folder": options.validation})
        examples = Recordings(held_out, 0, 0, parser.record_bytes, parser, tokens)
        examples = list(itertools.islice(examples, VALIDATION_SEGMENTS))
        validation = Validation(examples, task, options.batch)
    watch = Watch(options.run, validation, options.validate_every, options.patience)
    tuned = fit(net, recordings, losses, LOSS_WEIGHTS, options, AdamW, watch)
    write(watch.best(tuned), options.out)
