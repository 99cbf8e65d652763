"""Labels real drum loops for training, where two views of them agree:

    python -m hitscribe_train.drums.label CHECKPOINT LOOPS OUT [--picking PICKING.json] [--agreement 0.9]

The views are the network's of the loop, played twice over, and of the loop with other colours and pitch. A loop whose
views agree by less than the F measure --agreement is left out: a stroke without a label would teach silence. What is
kept goes to OUT/X.wav (mono, 32 kHz, 16 bits) and OUT/X.csv (seconds, class index, velocity 0..1), as
`hitscribe-train segments --loops OUT` reads it. Of a loop that is kept,
the strokes that all views have are the labels.
"""

import argparse
import os
from glob import glob

import numpy as np
import soundfile
import torch

from . import score
from .augment import equaliser, moved
from .evaluate import read_rule
from .features import BandPowers, relative
from .model import FRAMES
from .transcribe import HOP, hits, load, outputs_of, read_audio

VIEWS = 3  # beside the loop as it is
SAME_SECONDS = 0.03


def views(net, audio, rule, rng):
    """Hits of the second playing, by view, seconds within the loop."""
    twice = np.concatenate([audio, audio])
    padded = np.zeros((len(twice) // (HOP * FRAMES) + 12) * HOP * FRAMES, np.float32)
    padded[: len(twice)] = twice
    powers, length = BandPowers()(torch.from_numpy(padded)[None]), len(audio) / 32_000
    for view in range(1 + VIEWS):
        varied = powers
        if view:
            varied = moved(powers[0], view - 2)[None] + torch.from_numpy(equaliser(rng))[None, None, :, None]
        found = hits(outputs_of(net, *relative(varied.clamp(min=-10.0))), rule)
        found[:, 0] -= length
        yield found[(found[:, 0] >= -0.005) & (found[:, 0] < length - 0.005)]


def agreed(all_views):
    """Hits of the first view that every other one has, and the F measure of the worst."""
    first, kept, worst = all_views[0], np.ones(len(all_views[0]), bool), 1.0
    for other in all_views[1:]:
        right = 0
        for c in np.unique(np.concatenate([first[:, 1], other[:, 1]])):
            own = first[:, 1] == c
            found = score.matched(other[other[:, 1] == c, 0], first[own, 0], SAME_SECONDS)
            kept[np.flatnonzero(own)[~found]] = False
            right += int(found.sum())
        worst = min(worst, score.f_measure(right, len(first), len(other)))
    return first[kept], worst


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("loops", help="folder with audio files of loops")
    parser.add_argument("out")
    parser.add_argument("--picking")
    parser.add_argument("--agreement", type=float, default=0.9)
    parser.add_argument("--leave-out", default="waivops", help="loops whose file name begins with this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net, rule, rng = load(options.checkpoint), read_rule(options.picking), np.random.default_rng(1)
    os.makedirs(options.out, exist_ok=True)
    for path in sorted(glob(os.path.join(options.loops, "*.flac")) + glob(os.path.join(options.loops, "*.wav"))):
        name = os.path.splitext(os.path.basename(path))[0]
        if options.leave_out and name.startswith(options.leave_out):
            continue
        audio = read_audio(path).astype(np.float32)
        found, agreement = agreed(list(views(net, audio, rule, rng)))
        kept = agreement >= options.agreement and len(found) >= 4
        print(f"{name}: {len(found)} strokes, agreement {agreement:.3f}{'' if kept else ', left out'}", flush=True)
        if kept:
            soundfile.write(os.path.join(options.out, name + ".wav"), audio, 32_000, subtype="PCM_16")
            with open(os.path.join(options.out, name + ".csv"), "w") as file:
                for seconds, c, _, velocity in found:
                    file.write(f"{max(seconds, 0.0):.5f},{int(c)},{velocity:.4f}\n")


if __name__ == "__main__":
    main()
