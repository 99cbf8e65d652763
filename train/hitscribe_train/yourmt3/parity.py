"""Shows how far the PyTorch YourMT3 is from the published one's numbers.

    python -m hitscribe_train.yourmt3.parity FOLDER

FOLDER holds `last.ckpt`, and `pack.safetensors` with `wav`, `spectrogram`, `encoder_out`, `tf_ids`, `tf_logits` and
`greedy_ids` that the reference computed. Fails where a difference is larger than what two correct programs show in
32-bit floats.
"""

import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from ..common import parity
from .checkpoint import load
from .model import SEGMENT_SAMPLES

# A segment is scaled by its smallest bin, which in the reference is a rounding error: the mean is judged with the
# reference's scale. Of the encoder all but a thousandth of the values is judged: near ties between experts are decided
# by rounding.
LIMITS = {"spectrogram": 2e-3, "spectrogram, mean, scaled": 1e-5, "encoder, all but .1 %": 2e-4, "logits": 1e-4}


def segments_of(audio):
    """[segments, SEGMENT_SAMPLES] of a recording, silence after its end."""
    count = -(-len(audio) // SEGMENT_SAMPLES)
    return F.pad(audio, (0, count * SEGMENT_SAMPLES - len(audio))).unflatten(0, (count, SEGMENT_SAMPLES))


@torch.no_grad()
def differences(folder, checkpoint):
    """Name -> largest difference; of the ids, the number of sequences that are not the same."""
    net, report = load(checkpoint)
    if report.missing or report.misshapen or report.unused:
        raise SystemExit(f"{checkpoint}: {report}")
    pack = load_file(os.path.join(folder, "pack.safetensors"))
    net.eval()
    out = {}
    spectrograms = net.spectrogram(segments_of(pack["wav"]))
    given = pack["spectrogram"]
    own = spectrograms[: len(given)]
    out["spectrogram"] = (own - given).abs().max().item()
    scale = (1 - given).mean((1, 2), keepdim=True) / (1 - own).mean((1, 2), keepdim=True)
    out["spectrogram, mean, scaled"] = (1 - (1 - own) * scale - given).abs().mean().item()
    # The first segments from the reference's spectrogram, which the pack has of them alone.
    spectrograms[: len(given)] = given
    encoded = torch.cat([net.encode(one[None]) for one in spectrograms])
    reference = pack["encoder_out"]
    apart = (encoded[: len(reference), : reference.shape[1]] - reference).abs().flatten()
    out["encoder, all but .1 %"] = apart.sort().values[int(len(apart) * 0.999)].item()
    contexts = net.contexts(encoded).unflatten(0, (len(encoded), -1))
    logits = net.logits(pack["tf_ids"].long(), contexts[0])
    out["logits"] = (logits - pack["tf_logits"][0]).abs().max().item()
    expected = pack["greedy_ids"].long()
    length = expected.shape[-1]
    ids = F.pad(net.greedy(contexts.flatten(0, 1), length), (0, length))[:, :length]
    out["sequences that differ"] = (ids != expected.flatten(0, 1)).any(1).sum().item()
    return out


if __name__ == "__main__":
    parity.main(__doc__, differences, LIMITS, "last.ckpt")
