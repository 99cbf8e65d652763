"""What looks on while a network is trained: TensorBoard logs, validation, and the end when it no longer improves."""

import os

import torch


def tensorboard(folder):
    """A writer of TensorBoard logs; None, and a line that says so, if that package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("no TensorBoard logs: the package tensorboard is not installed (pip install tensorboard)", flush=True)
        return None
    return SummaryWriter(folder)


class Watch:
    """`validate(net)` gives figures by name; the first is the one that is to fall. The weights with the smallest are
    kept in `folder`. After `patience` validations without a smaller one training ends."""

    def __init__(self, folder, validate=None, every=250, patience=8):
        self.validate, self.every, self.patience = validate, every, patience
        self.path = os.path.join(folder, "best.pt")
        os.makedirs(folder, exist_ok=True)
        self.writer = tensorboard(os.path.join(folder, "tensorboard"))
        self.state = {"best": float("inf"), "stale": 0}

    def log(self, step, figures, kind="train"):
        if self.writer:
            for name, value in figures.items():
                self.writer.add_scalar(f"{kind}/{name}", value, step)
            self.writer.flush()

    def is_over(self, step, net):
        """Whether training ends after this step."""
        if not self.validate or step % self.every:
            return False
        was_training = net.training
        net.eval()
        figures = self.validate(net)
        net.train(was_training)
        self.log(step, figures, "validation")
        first = next(iter(figures.values()))
        better = first < self.state["best"]
        shown = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"step {step}  validation: {shown}{'  best' if better else ''}", flush=True)
        if better:
            self.state = {"best": first, "stale": 0}
            torch.save(net.state_dict(), self.path + ".new")
            os.replace(self.path + ".new", self.path)
        else:
            self.state["stale"] += 1
        if self.state["stale"] >= self.patience:
            print(f"no better validation {self.patience} times: the end", flush=True)
            return True
        return False

    def best(self, net):
        """`net` with the best weights so far, if there was a validation."""
        if self.validate and os.path.exists(self.path):
            net.load_state_dict(torch.load(self.path, map_location="cpu", weights_only=True))
        return net
