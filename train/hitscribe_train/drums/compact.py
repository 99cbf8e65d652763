"""A checkpoint small enough to keep: python -m hitscribe_train.drums.compact CHECKPOINT OUT.pt

The running mean in 16-bit floats with its counts, without the optimizer's memory, which `train` builds up anew."""

import argparse

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    options = parser.parse_args()
    saved = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    # Tied weights stay one tensor.
    halves = {}
    model = {}
    for name, value in saved["model"].items():
        key = (value.data_ptr(), value.shape)
        halves.setdefault(key, value.half() if value.dtype.is_floating_point else value)
        model[name] = halves[key]
    counts = {name: saved[name] for name in ("step", "segments") if name in saved}
    torch.save({"model": model, **counts}, options.out)


if __name__ == "__main__":
    main()
