"""Trains a small MT3 on stored segments (`segments.py`).

    python -m hitscribe_train.mt3.train --run RUN --segments FOLDER [FOLDER ...] --minutes N
        [--config config.json | --start CHECKPOINT] [--memory ROWS ...]

It stops by the clock and goes on where it stopped: the run folder holds the last checkpoint. --start begins with a
checkpoint (RUN/checkpoint.pt, or one made small by `drums/compact.py`), without its optimizer; a memory is new then.
"""

import os

import numpy as np
import torch
import torch.nn.functional as F

from ..common.loop import arguments, fit
from ..drums import optimizer
from .checkpoint import config_of_json, fill
from .data import WithMemory
from .frames import STEP_FRAMES, FrameHead
from .model import FIRST_MEMORY, FRAMES, PAD, Config, Mt3
from .segments import Batches, logarithms
from .shuffle import SHIFTS, shuffled
from .start import SEARCH, prepare

LOSS_WEIGHTS = {"tokens": 1.0, "search": 0.5, "begun": 2.0, "onsets": 1.0, "sounding": 0.05}
SMALL = os.path.join(os.path.dirname(__file__), "small.json")
# The instruments of `hitscribe-train songs --small-band`.
PROGRAMS = (0, 27, 33, 48)


class WithFrames(torch.nn.Module):
    """The network and what its encoder learns beside the tokens."""

    def __init__(self, config, programs):
        super().__init__()
        self.mt3 = Mt3(config)
        self.head = FrameHead(config, programs)
        self.searching().register_forward_pre_hook(self.remember)

    def searching(self):
        layer = min(SEARCH[0], self.mt3.config.decoder_layers - 1)
        return self.mt3.decoder.block[layer].layer[1].EncDecAttention

    def remember(self, attention, arguments):
        self.searched = arguments

    def search_loss(self, ids):
        """Cross-entropy of the frame that one head attends to where the next id is a time: the frame of that time."""
        decoded, encoded = self.searched
        size, head = self.mt3.config.head_size, min(SEARCH[1], self.mt3.config.heads - 1)
        rows = slice(head * size, (head + 1) * size)
        queries = F.linear(decoded, self.searching().q.weight[rows]).float()
        keys = F.linear(encoded, self.searching().k.weight[rows]).float()
        scores = queries @ keys.transpose(1, 2)
        is_time = (ids >= SHIFTS.start) & (ids < SHIFTS.stop)
        frames = ((ids[is_time] - SHIFTS.start) * STEP_FRAMES).long().clamp(max=FRAMES - 1)
        return F.cross_entropy(scores[is_time], frames) if len(frames) else scores.sum() * 0


class Optimizer(optimizer.Optimizer):
    """Muon for the matrices between embeddings; AdamW for embeddings, outputs and what is no matrix, slowly for the
    projection of the features, which must not outgrow the positions."""

    def __init__(self, net, rate):
        mt3 = net.mt3
        outside = {mt3.decoder_embed_tokens.weight, mt3.lm_head.weight, mt3.proj.weight, *net.head.parameters()}
        kernels = [p for p in net.parameters() if p.dim() > 1 and p not in outside]
        others = [p for p in net.parameters() if (p.dim() <= 1 or p in outside) and p is not mt3.proj.weight]
        self.muon = optimizer.Muon(kernels, 0.02)
        groups = [{"params": others, "share": 0.5}, {"params": [mt3.proj.weight], "share": 0.05}]
        self.adam = torch.optim.AdamW(groups, rate, betas=(0.9, 0.98), weight_decay=0.02)


def losses(net, features, targets):
    """Mean cross-entropy of the next id, and the head's."""
    begun, onsets, sounding, ids, *previous = targets
    encoded = net.mt3.encode(logarithms(features))
    ids = ids[:, : (ids != PAD).sum(1).max()]
    before = F.pad(ids[:, :-1], (1, 0), value=PAD)
    hidden = net.mt3.decoder(before, net.mt3.context(encoded, *previous))
    is_id = ids != PAD
    tokens = F.cross_entropy(net.mt3.lm_head(hidden[is_id]).float(), ids[is_id])
    return {"tokens": tokens, "search": net.search_loss(ids), **net.head.losses(encoded, begun, onsets, sounding)}


class Plain:
    """Segments without memory: only the ids of the segment itself."""

    def __init__(self, shuffle, seed):
        self.shuffle, self.random = shuffle, np.random.default_rng(seed)

    def of(self, sequences):
        return (shuffled(sequences[0], self.random) if self.shuffle else sequences[0],)


def network(options):
    if not options.start:
        net = WithFrames(config_of_json(options.config), options.programs)
        prepare(net.mt3)
        return net
    values = torch.load(options.start, map_location="cpu", weights_only=True)["model"]
    config = vars(config_of_json(options.config))
    config |= {"memory_rows": options.memory, "memory_variant": options.memory_variant}
    net = WithFrames(Config(**config), options.programs)
    print(f"{options.start}: {fill(net, {key: value.float() for key, value in values.items()})}", flush=True)
    return net


def main():
    parser = arguments(__doc__)
    parser.add_argument("--segments", nargs="+", required=True, help="folders of `segments.py`")
    parser.add_argument("--config", default=SMALL, help="sizes, as a T5 configuration")
    parser.add_argument("--start", help="checkpoint to start from")
    parser.add_argument("--programs", type=int, nargs="+", default=PROGRAMS, help="those that the frames' head distinguishes")
    parser.add_argument("--memory", type=int, default=0, metavar="ROWS", help="rows of MR-MT3's memory")
    parser.add_argument("--memory-variant", choices=FIRST_MEMORY, default="v2-with-prev")
    parser.add_argument("--horizon", type=int, default=1, help="segments before, of which the memory holds any")
    parser.add_argument("--shuffle", action="store_true", help="random order of simultaneous tokens")
    parser.set_defaults(rate=4e-3, batch=12, warm_up=50)
    options = parser.parse_args()

    def stream(seed, first):
        with_memory = WithMemory(options.horizon, options.memory_variant, options.shuffle, seed)
        finish = (with_memory if options.memory else Plain(options.shuffle, seed)).of
        return Batches(options.segments, options.batch, seed, options.programs, finish)

    fit(network(options), stream, losses, LOSS_WEIGHTS, options, Optimizer)


if __name__ == "__main__":
    main()
