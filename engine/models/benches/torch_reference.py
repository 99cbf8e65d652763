#!/usr/bin/env python3
"""Times of a checkpoint's network in plain PyTorch on the CPU as one line of JSON.

    torch_reference.py CHECKPOINT [--threads 1] [--steps 32] [--batch 8] [--clock cpu] [--int8]

The milliseconds of the encoder for one segment (with MR-MT3's memory) and of one decoding step with
key-value caches, for one segment and for a batch of them. The best of several runs.
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F

from mt3_torch import Mt3
from yourmt3_torch import YourMt3


def load(path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    if "pre_decoder.0.linear.weight" in state:
        return YourMt3(state), torch.rand(1, 110, 1024)
    weights = {key.removeprefix("model."): value for key, value in state.items()}
    return Mt3(weights, heads=6), torch.randn(1, 256, weights["proj.weight"].shape[1])


def quantize_linear_maps():
    """PyTorch's dynamic quantisation of everything linear: weights and inputs in 8 bits."""
    packed = {}

    def linear(x, weight, bias=None):
        if id(weight) not in packed:
            scales = weight.abs().amax(1).clamp(min=1e-12) / 127
            zero = torch.zeros(len(scales), dtype=torch.long)
            quantized = torch.quantize_per_channel(weight, scales.double(), zero, 0, torch.qint8)
            packed[id(weight)] = weight, torch.ops.quantized.linear_prepack(quantized, bias)
        return torch.ops.quantized.linear_dynamic(x, packed[id(weight)][1])

    F.linear = linear


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu")
    parser.add_argument("--int8", action="store_true")
    args = parser.parse_args()
    clock = time.process_time if args.clock == "cpu" else time.perf_counter

    def milliseconds(work, repeats):
        times = []
        for _ in range(repeats):
            start = clock()
            work()
            times.append((clock() - start) * 1e3)
        return min(times)

    torch.set_num_threads(args.threads)
    if args.int8:
        quantize_linear_maps()
    with torch.inference_mode():
        model, features = load(args.checkpoint)
        contexts = model.contexts(model.encode(features))
        decoder = getattr(model, "decoder", model)

        def step(contexts, repeats):
            run = lambda: decoder.greedy(contexts, args.steps, stop_at_eos=False)
            return milliseconds(run, repeats) / args.steps

        print(json.dumps({
            "torch": torch.__version__,
            "encoder_ms": milliseconds(lambda: model.contexts(model.encode(features)), 3),
            "step_ms": step(contexts, 3),
            "step_of_batch_ms": step(contexts.repeat(args.batch, 1, 1), 1),
        }))


if __name__ == "__main__":
    main()
