"""A trained network on whole recordings: python -m hitscribe_train.pitched.harmonic.transcribe CHECKPOINT OUT FILE..."""

import argparse
import os

import mido
import numpy as np
import torch

from ...drums.transcribe import read_audio
from .features import HOP, BandPowers, relative
from .model import PAIR, HarmonicNet
from .pick import Rule, pick, program

TAIL_FRAMES = 32  # of silence after the end, so that the last notes have what comes after them


def load(checkpoint):
    """The running mean of a checkpoint of `train`, in eval mode."""
    net = HarmonicNet()
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
    net.load_state_dict({name: value.float() if value.dtype == torch.half else value for name, value in saved.items()})
    return net.eval()


@torch.no_grad()
def features(audio):
    """The network's input for a whole recording, in a length that it takes."""
    frames = -(-len(audio) // HOP) + TAIL_FRAMES
    frames += -frames % PAIR
    padded = np.zeros(frames * HOP, np.float32)
    padded[: len(audio)] = audio
    return relative(BandPowers()(torch.from_numpy(padded)[None]))


@torch.no_grad()
def outputs_of(net, channels, scalars):
    return [dict(zip(o, (v.numpy() for v in o.values()))) for o in split(net(channels, scalars))]


def split(outputs):
    """Those of each of a batch."""
    return [{name: value[i] for name, value in outputs.items()} for i in range(len(outputs["onset"]))]


def write_midi(path, notes):
    """One channel for each family."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    events = []
    for family in sorted({int(n[4]) for n in notes}):
        track.append(mido.Message("program_change", channel=family, program=program(family)))
    for start, end, key, velocity, family, _ in notes:
        level = int(np.clip(round(velocity * 127), 1, 127))
        events.append((round(start * 960), 1, mido.Message("note_on", channel=int(family), note=int(key), velocity=level)))
        events.append((round(end * 960), 0, mido.Message("note_off", channel=int(family), note=int(key))))
    before = 0
    for ticks, _, message in sorted(events, key=lambda e: e[:2]):
        track.append(message.copy(time=ticks - before))
        before = ticks
    file.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("out", help="folder: SET/TRACK.mid for .../SET/TRACK.flac")
    parser.add_argument("files", nargs="+")
    for name in ("onset", "sounding", "offset"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Rule, name))
    options = parser.parse_args()
    torch.set_num_threads(1)
    net, rule = load(options.checkpoint), Rule(options.onset, options.sounding, options.offset)
    for path in options.files:
        folder = os.path.join(options.out, os.path.basename(os.path.dirname(os.path.abspath(path))))
        os.makedirs(folder, exist_ok=True)
        notes = pick(outputs_of(net, *features(read_audio(path)))[0], rule)
        write_midi(os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".mid"), notes)


if __name__ == "__main__":
    main()
