"""Shows how far the PyTorch MT3 is from the published one's numbers.

    python -m hitscribe_train.mt3.parity FOLDER

FOLDER holds a checkpoint in the layout of mt3.pth, `pack.safetensors` with `wav`, `features`, `encoder_out`, `tf_ids`,
`tf_logits` and `greedy_ids` that the reference computed, `pack.json` with its segments, and `config.json`.
Fails where a difference is larger than what two correct programs show in 32-bit floats.
"""

import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from ..common import parity
from .checkpoint import load
from .model import FRAMES, HOP, MAX_IDS, SEGMENT_SAMPLES

# Features: bins near silence are amplified by the logarithm, so their mean is judged too. The reference of the
# pack has its triangles linear in hertz, the front end that the weights were trained with in mel.
LIMITS = {"encoder": 2e-4, "logits": 1e-4, "features, mean": 4e-3}


def segments_of(audio):
    """The segments of a recording, and how many of their frames have features. Incomplete frames are dropped."""
    frames = len(audio) // HOP
    audio = audio[: frames * HOP]
    count = -(-frames // FRAMES)
    padded = F.pad(audio, (0, count * SEGMENT_SAMPLES - len(audio))).unflatten(0, (count, SEGMENT_SAMPLES))
    return padded, (frames - FRAMES * torch.arange(count)).clamp(max=FRAMES)


@torch.no_grad()
def differences(folder, checkpoint):
    """Name -> largest difference; of the ids, the number of sequences that are not the same."""
    net, report = load(checkpoint, os.path.join(folder, "config.json"))
    if report.missing or report.misshapen:
        raise SystemExit(f"{checkpoint}: {report}")
    pack = load_file(os.path.join(folder, "pack.safetensors"))
    about = json.load(open(os.path.join(folder, "pack.json")))
    net.eval()
    out = {}
    features = net.front_end(*segments_of(pack["wav"]))[about["feature_segments"]]
    # Without the frames at the end that only some front ends have.
    reference = pack["features"][:, :FRAMES]
    out["features, mean"] = (features - reference).abs().mean().item()
    encoded = net.encode(pack["features"])
    shown = [about["feature_segments"].index(segment) for segment in about["encoder_segments"]]
    out["encoder"] = (encoded[shown] - pack["encoder_out"]).abs().max().item()
    taught = [about["feature_segments"].index(segment) for segment in about["tf_segments"]]
    logits = net.logits(pack["tf_ids"].long().expand(len(taught), -1), encoded[taught])
    out["logits"] = (logits - pack["tf_logits"]).abs().max().item()
    expected = pack["greedy_ids"].long().clamp(min=0)  # filled with -1
    length = expected.shape[1]
    ids = F.pad(net.greedy(encoded, min(MAX_IDS, length - 1)), (1, length))[:, :length]
    out["sequences that differ"] = (ids != expected).any(1).sum().item()
    return out


if __name__ == "__main__":
    parity.main(__doc__, differences, LIMITS, "mt3.pth")
