"""The training loop of the independent drum network, the pitched network and MT3.

It stops by the clock and starts again where it stopped: the run folder holds the last checkpoint. The learning rate
falls over the minutes asked for, counted over all starts.
"""

import argparse
import copy
import math
import os
import time

import torch
from torch.utils.data import DataLoader


class Optimizer:
    """Muon for the convolutions inside the network, each seen as a matrix [outputs, inputs x taps];
    AdamW for what is no matrix, and for the head."""

    def __init__(self, net, rate):
        head = set(net.head.parameters())
        self.kernels = [p for p in net.parameters() if p.dim() > 1 and p not in head]
        others = [p for p in net.parameters() if p.dim() <= 1 or p in head]
        # Views: what Muon changes is the network's own weight.
        self.matrices = [torch.nn.Parameter(self.matrix(p.detach())) for p in self.kernels]
        self.parts = (
            torch.optim.Muon(self.matrices, rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, rate, betas=(0.9, 0.98), weight_decay=0.02),
        )

    @staticmethod
    def matrix(kernel):
        # 2-d kernels lie in memory with their channels last.
        return (kernel.permute(0, 2, 3, 1) if kernel.dim() == 4 else kernel).flatten(1)

    def step(self, loss, rate, net):
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
        net.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        for kernel, matrix in zip(self.kernels, self.matrices):
            matrix.grad = self.matrix(kernel.grad)
        for part in self.parts:
            part.step()

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states):
        for part, state in zip(self.parts, states):
            part.load_state_dict(state)


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run", required=True, help="folder for checkpoints")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--steps", type=int, help="steps after which it ends too, for comparisons; the rate falls with them")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=300, help="steps until the rate is reached")
    return parser


def renderer_arguments(description):
    parser = arguments(description)
    parser.add_argument("--renderer", required=True, help="the hitscribe-train program")
    parser.add_argument("--bank", required=True)
    parser.add_argument("--pool")
    parser.add_argument("--start", help="checkpoint, or exported weights, to start from")
    return parser


def has_bf16(device):
    """Whether the machine computes with 16-bit floats; where it does not, they would be slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))


def fit(net, stream, losses, loss_weights, options, optimizer_of=Optimizer, watch=None):
    """Trains `net` on the data set `stream(seed, first)` until the clock, or `watch`, says so; returns its running
    mean."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    os.makedirs(options.run, exist_ok=True)
    path = os.path.join(options.run, "checkpoint.pt")

    net = net.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    optimizer = optimizer_of(net, options.rate)
    step, spent = 0, 0.0
    if os.path.exists(path):
        saved = torch.load(path, map_location=device)
        net.load_state_dict(saved["net"])
        average.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["seconds"]
        if watch:
            watch.state = saved["watch"]

    def save():
        state = {
            "net": net.state_dict(), "model": average.state_dict(), "optimizer": optimizer.state_dict(),
            "step": step, "seconds": spent, "watch": watch and watch.state,
        }  # fmt: skip
        torch.save(state, path + ".new")
        os.replace(path + ".new", path)

    # Another stream after every start, so that no segment comes back.
    dataset = stream(options.seed + step, step * options.batch)
    loader = DataLoader(dataset, options.batch, num_workers=options.workers, prefetch_factor=6, pin_memory=device.type == "cuda")
    bf16 = has_bf16(device)
    limit, steps = options.minutes * 60, getattr(options, "steps", None)
    sums, counted, waited, mark = torch.zeros(len(loss_weights)), 0, 0.0, time.monotonic()
    begin = mark
    for batch in loader:
        waited += time.monotonic() - mark
        audio, *targets = (t.to(device, non_blocking=True) for t in batch)
        progress = min(step / steps if steps else spent / limit, 1.0)
        rate = options.rate * min(1.0, (step + 1) / options.warm_up) * (0.5 * (1 + math.cos(math.pi * progress)) + 0.005)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            parts = losses(net, audio, targets)
        loss = sum(weight * parts[name] for name, weight in loss_weights.items())
        optimizer.step(loss, rate, net)
        step += 1
        keep = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            for a, b in zip(average.state_dict().values(), net.state_dict().values()):
                a.lerp_(b, 1 - keep) if a.dtype.is_floating_point else a.copy_(b)
        sums += torch.stack([parts[name].detach() for name in loss_weights]).cpu()
        counted += 1
        now = time.monotonic()
        spent += now - begin
        begin = mark = now
        if step % 100 == 0:
            means = dict(zip(loss_weights, (sums / counted).tolist()))
            if watch:
                watch.log(step, means | {"rate": rate})
            shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
            print(
                f"step {step}  {spent / 60:.1f} min  {shown}"
                f"  {counted * options.batch / (waited + 1e-9):.0f} segments per second of waiting  rate {rate:.1e}",
                flush=True,
            )
            sums.zero_()
            counted, waited = 0, 0.0
        is_over = watch and watch.is_over(step, average)
        if step % 250 == 0:
            save()
        if is_over or spent >= limit or (steps and step >= steps):
            break
    save()
    return average


def fit_rendered(net, segments, losses, loss_weights, options):
    """As fit, on what the renderer makes, from the weights of another run if one is named."""
    if options.start:
        net.load_state_dict(torch.load(options.start, map_location="cpu", weights_only=True)["model"])
    source = (options.renderer, options.bank, options.pool)
    fit(net, lambda seed, first: segments(*source, seed, first), losses, loss_weights, options)
