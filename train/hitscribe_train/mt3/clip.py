"""The recording with which the engine's tests run a small MT3.

    python -m hitscribe_train.mt3.clip MODEL.pth SONG OUT [--start SECONDS]

Of a song in Slakh's layout OUT gets `song.flac`, two segments at 16 kHz, `song.json` with its notes and the ids that
PyTorch decodes of it, and `drums.flac`, the drums alone.
"""

import argparse
import json
import os

import numpy as np
import pretty_midi
import soundfile
import soxr
import torch
import torch.nn.functional as F

from .checkpoint import load
from .model import EOS, FRAMES, HOP, SAMPLE_RATE, SEGMENT_SAMPLES

# Not whole frames: what the last one lacks is silence.
SAMPLES = 2 * SEGMENT_SAMPLES - 1000


def cut(path, start):
    audio, rate = soundfile.read(path)
    audio = soxr.resample(audio, rate, SAMPLE_RATE)[int(start * SAMPLE_RATE) :][:SAMPLES]
    return (audio * 32767).round().astype(np.int16)


def ids_of(net, samples):
    """The ids of each segment with their EOS."""
    audio = torch.from_numpy(samples / 32768.0).float()
    count = -(-len(audio) // SEGMENT_SAMPLES)
    frames = (len(audio) // HOP + 1 - FRAMES * torch.arange(count)).clamp(max=FRAMES)
    segments = F.pad(audio, (0, count * SEGMENT_SAMPLES - len(audio))).unflatten(0, (count, SEGMENT_SAMPLES))
    with torch.no_grad():
        sequences = net.greedy_song(net.encode(net.front_end(segments, frames)))
    ends = [(ids == EOS).nonzero() for ids in sequences]
    return [ids[: end[0] + 1 if len(end) else None].tolist() for ids, end in zip(sequences, ends)]


def notes_of(path, start):
    seconds = SAMPLES / SAMPLE_RATE
    notes = []
    for instrument in pretty_midi.PrettyMIDI(path).instruments:
        for note in instrument.notes:
            if start <= note.start < start + seconds:
                notes.append({
                    "onset_seconds": round(float(note.start) - start, 4), "offset_seconds": round(float(note.end) - start, 4),
                    "pitch": int(note.pitch), "velocity": int(note.velocity), "confidence": 1.0, "is_drum": instrument.is_drum,
                    "program": 0 if instrument.is_drum else int(instrument.program),
                })  # fmt: skip
    return sorted(notes, key=lambda n: (n["onset_seconds"], n["is_drum"], n["program"], n["pitch"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("song")
    parser.add_argument("out")
    parser.add_argument("--start", type=float, default=0.0)
    options = parser.parse_args()
    net, report = load(options.model)
    if report.missing or report.misshapen:
        raise SystemExit(f"{options.model}: {report}")
    os.makedirs(options.out, exist_ok=True)
    song = cut(os.path.join(options.song, "mix.wav"), options.start)
    soundfile.write(os.path.join(options.out, "song.flac"), song, SAMPLE_RATE, subtype="PCM_16")
    drums = 0
    for name in sorted(os.listdir(os.path.join(options.song, "MIDI"))):
        if pretty_midi.PrettyMIDI(os.path.join(options.song, "MIDI", name)).instruments[0].is_drum:
            drums = drums + cut(os.path.join(options.song, "stems", name.replace(".mid", ".wav")), options.start)
    soundfile.write(os.path.join(options.out, "drums.flac"), drums, SAMPLE_RATE, subtype="PCM_16")
    about = {"ids": ids_of(net, song), "notes": notes_of(os.path.join(options.song, "all_src.mid"), options.start)}
    with open(os.path.join(options.out, "song.json"), "w") as file:
        # A line for each segment and note.
        lines = [f'"{key}": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]" for key, rows in about.items()]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
