"""Widens a network in training to the sizes of `model`, and keeps what it computes:

    python -m hitscribe_train.drums.grow CHECKPOINT OUT.pt

Whatever is new starts at random and nothing reads it yet: its weights into old channels are zero. The optimizer's
memory goes along; `train` warms up again.
"""

import argparse

import torch

from .features import SCALARS
from .model import PAIR, STRIDE, DrumNet
from .optimizer import Optimizer

GATES = 3


def parts_of(name, axis, size, net):
    """The number of parts that an axis consists of, each with the channels of one kind, and the values after them."""
    if name == "stem.project.weight" and axis == 1:
        after = PAIR * SCALARS
        return (size - after) // net.stem.layers[-1][0].out_channels, after
    if name.startswith("gru.") and axis == 0:
        return GATES, 0
    if name.startswith("up."):
        return 2, 0
    if name == "down.weight" and axis == 1:
        return STRIDE, 0
    return 1, 0


def places(name, axis, old_size, new_size, new_net):
    """Where the old values of an axis lie among the new ones."""
    parts, after = parts_of(name, axis, new_size, new_net)
    old, new = (old_size - after) // parts, (new_size - after) // parts
    inside = torch.arange(parts)[:, None] * new + torch.arange(old)
    return torch.cat([inside.flatten(), parts * new + torch.arange(after)])


def input_axes(name, dimensions):
    """Axes over what a product reads; the others are over what it writes."""
    if dimensions < 2:
        return ()
    return (0, 1) if name.endswith("spread.weight") else (1,)


def widened(name, old, fresh, new_net):
    """`old` in the place of what `fresh` has for the same channels."""
    if old.shape == fresh.shape:
        return old.clone()
    index = [places(name, axis, o, n, new_net) for axis, (o, n) in enumerate(zip(old.shape, fresh.shape))]
    inputs = input_axes(name, old.dim())
    result = fresh.clone()
    if inputs:
        # Old outputs read nothing new.
        whole = [torch.arange(n) if axis in inputs else index[axis] for axis, n in enumerate(fresh.shape)]
        result[torch.meshgrid(*whole, indexing="ij")] = 0.0
    result[torch.meshgrid(*index, indexing="ij")] = old
    return result


def optimizer_state(saved, old_net, new_net):
    """The state of an `Optimizer` for the new network; what it knows of new weights is nothing."""
    kernels, others = [], []
    for net in (old_net, new_net):
        optimizer, names = Optimizer(net, 0.0), {id(p): name for name, p in net.named_parameters()}
        kernels.append([names[id(p)] for p in optimizer.muon.kernels])
        others.append([names[id(p)] for group in optimizer.adam.param_groups for p in group["params"]])
    assert kernels[0] == kernels[1] and others[0] == others[1]
    shapes = {name: p.shape for name, p in new_net.named_parameters()}
    moved = lambda name, old: widened(name, old, old.new_zeros(shapes[name]), new_net)
    adam = saved["adam"] | {"state": dict(saved["adam"]["state"])}
    for index, values in adam["state"].items():
        adam["state"][index] = {
            key: moved(others[0][index], value) if value.dim() else value for key, value in values.items()
        }
    return {"muon": [moved(name, old) for name, old in zip(kernels[0], saved["muon"])], "adam": adam}


@torch.no_grad()
def grown(saved, new_net):
    """A checkpoint for `new_net` from that of a network with the same layers and fewer channels."""
    old_net = DrumNet.of(saved["model"])
    fresh = new_net.state_dict()
    net = {}
    result = {"step": saved["step"], "segments": saved["segments"], "first_step": saved["step"]}
    for part in ("net", "model"):
        state = saved.get(part, saved["model"])
        result[part] = {name: widened(name, old, fresh[name], new_net) for name, old in state.items()}
    if "optimizer" in saved:
        result["optimizer"] = optimizer_state(saved["optimizer"], old_net, new_net)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    options = parser.parse_args()
    torch.manual_seed(1)
    saved = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    torch.save(grown(saved, DrumNet()), options.out)


if __name__ == "__main__":
    main()
