"""Trains the drum network on a ring that `feed` fills:

    python -m hitscribe_train.drums.train --run DIR --ring DIR

Runs until it is stopped (SIGTERM: it saves first), at a constant rate, and goes on from its last checkpoint. That is
the trunk. A snapshot to use is a branch of it, whose rate falls to zero over a number of steps:

    python -m hitscribe_train.drums.train --run BRANCH --ring DIR --start DIR/checkpoint.pt --fall 1500

Nothing depends on the clock but when checkpoints are written.
"""

import argparse
import copy
import json
import os
import signal
import time

import torch
from torch.utils.data import DataLoader

from .batches import Batches
from .model import DrumNet
from .optimizer import Optimizer
from .targets import LOSS_WEIGHTS, losses

SECONDS_BETWEEN_CHECKPOINTS = 180.0
LOG_STEPS = 100
BASE_SAMPLES = 131_072  # segments are counted in units of 4.096 s


def save(path, state):
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


class Run:
    """A network in training and its running mean."""

    def __init__(self, options, net=None, losses=losses, weights=LOSS_WEIGHTS):
        self.options, self.losses, self.weights = options, losses, weights
        self.net = (net or DrumNet()).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval()
        self.optimizer = Optimizer(self.net, options.rate)
        self.step, self.segments, self.first_step = 0, 0.0, 0
        self.path = os.path.join(options.run, "checkpoint.pt")
        start = self.path if os.path.exists(self.path) else options.start
        if start:
            self.load(torch.load(start, map_location="cpu"), branched=start != self.path)

    def load(self, saved, branched):
        self.average.load_state_dict(saved["model"])
        self.net.load_state_dict(saved.get("net", saved["model"]))
        if "optimizer" in saved:
            self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.segments = saved["step"], saved["segments"]
        self.first_step = self.step if branched else saved["first_step"]

    def save(self):
        state = {
            "net": self.net.state_dict(), "model": self.average.state_dict(), "optimizer": self.optimizer.state_dict(),
            "step": self.step, "segments": self.segments, "first_step": self.first_step,
        }  # fmt: skip
        save(self.path, state)

    def rate(self):
        options = self.options
        if options.fall:
            return options.rate * max(0.0, 1.0 - (self.step - self.first_step) / options.fall)
        return options.rate * min(1.0, (self.step - self.first_step + 1) / options.warm_up)

    def is_done(self):
        return bool(self.options.fall) and self.step - self.first_step >= self.options.fall

    def train(self, channels, scalars, targets):
        """One step; the parts of the loss."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.half):
            outputs = self.net(channels.to(memory_format=torch.channels_last), scalars)
        parts = self.losses({name: value.float() for name, value in outputs.items()}, targets)
        self.optimizer.step(sum(self.weights[name] * part for name, part in parts.items()), self.rate(), self.net)
        self.step += 1
        self.segments += channels.shape[0] * channels.shape[-1] * self.net.hop / BASE_SAMPLES
        # A short mean while the network changes fast.
        keep = min(self.options.keep, (self.step - self.first_step + 1) / (self.step - self.first_step + 10))
        with torch.no_grad():
            for a, b in zip(self.average.state_dict().values(), self.net.state_dict().values()):
                a.lerp_(b, 1 - keep) if a.dtype.is_floating_point else a.copy_(b)
        return {name: part.item() for name, part in parts.items()}


def main(net=None, losses=losses, weights=LOSS_WEIGHTS, batches=Batches, about=__doc__):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="folder for checkpoints and the log")
    parser.add_argument("--ring", required=True)
    parser.add_argument("--start", help="checkpoint to start from where the folder has none")
    parser.add_argument("--fall", type=int, default=0, help="steps over which the rate falls to zero; then it ends")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--warm-up", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--half", action="store_true", help="products of 16-bit floats, for CPUs with bfloat16")
    parser.add_argument("--keep", type=float, default=0.998, help="share of the running mean kept at each step")
    parser.add_argument("--most-uses", type=float, default=12.0, help="of a rendered segment, on average")
    parser.add_argument("--steps", type=int, default=0, help="stop after so many; 0: never")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    os.makedirs(options.run, exist_ok=True)
    run = Run(options, net, losses, weights)
    # Another order after every start.
    data = batches(options.ring, options.batch, [run.step, int(time.time())], options.most_uses)
    loader = iter(DataLoader(data, None, num_workers=1, prefetch_factor=3))
    log = open(os.path.join(options.run, "log.jsonl"), "a")
    sums, counted, waited, mark, saved_at, stop = {}, 0, 0.0, time.monotonic(), time.monotonic(), run.step + options.steps
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    while not (ended or run.is_done() or (options.steps and run.step >= stop)):
        begin = time.monotonic()
        batch = next(loader)
        waited += time.monotonic() - begin
        for name, value in run.train(*batch).items():
            sums[name] = sums.get(name, 0.0) + value
        counted += 1
        if run.step % LOG_STEPS == 0:
            now = time.monotonic()
            row = {"time": time.strftime("%m-%d %H:%M:%S"), "step": run.step, "segments": round(run.segments)}
            row |= {name: round(value / counted, 4) for name, value in sums.items()}
            row |= {"rate": run.rate(), "seconds": round(now - mark, 1), "waited": round(waited, 1)}
            print(json.dumps(row), flush=True)
            log.write(json.dumps(row) + "\n")
            log.flush()
            sums, counted, waited, mark = {}, 0, 0.0, now
        if time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            run.save()
            saved_at = time.monotonic()
    run.save()


if __name__ == "__main__":
    main()
