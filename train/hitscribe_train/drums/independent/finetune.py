"""What `finetune.py` does with the built-in drum network.

The norms keep their statistics, so that a few minutes of recordings do not bend them.
"""

import torch

from ...common.loop import fit
from ...common.recordings import Recordings
from . import model as m
from .data import RECORD_BYTES, parse
from .export import write
from .train import LOSS_WEIGHTS, losses
from .weights_file import from_weights_file

RATE = 3e-4


def finetune(options):
    """From the weights file or checkpoint `options.start` to the weights file `options.out`."""
    if options.start.endswith(".safetensors"):
        net, thresholds = from_weights_file(options.start)
    else:
        net, thresholds = m.DrumNet(), {}
        net.load_state_dict(torch.load(options.start, map_location="cpu", weights_only=True)["model"])
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    recordings = lambda seed, first: Recordings(options, seed, first, RECORD_BYTES, parse)
    tuned = fit(net, recordings, losses, LOSS_WEIGHTS, options)
    write(tuned.cpu().eval(), options.out, {"thresholds": thresholds})
