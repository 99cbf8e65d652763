"""Scores of a model on songs in Slakh's layout, transcribed and scored by the engine.

    python -m hitscribe_train.mt3.evaluate HITSCRIBE FOLDER [FOLDER ...] --model FILE.pth
        [--seconds N] [--json OUT.json] [-- OPTIONS]

Mean and standard deviation over songs of onset F1, multi-instrument onset F1 (program and drums), the instrument
leakage ratio (programs transcribed for each program that plays, drums apart) and the F1 of instrument detection.
--seconds: only the beginnings of the songs. OPTIONS are passed to `hitscribe transcribe`.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pretty_midi
import soundfile

METRICS = {
    "onset F1": ("onset", "f1"),
    "onset + offset F1": ("onset_offset", "f1"),
    "multi-instrument onset F1": ("multi_full", "f1"),
    "leakage ratio": ("instruments_program_and_drum", "leakage_ratio"),
    "detection F1": ("instruments_program_and_drum", "f1"),
}


def songs(folders):
    return sorted(path for folder in folders for path in glob.glob(os.path.join(folder, "**/mix.wav"), recursive=True))


def beginning(song, seconds, folder):
    """Audio and MIDI of the first seconds."""
    audio, rate = soundfile.read(song, dtype="int16", frames=-1)
    midi = pretty_midi.PrettyMIDI(os.path.join(os.path.dirname(song), "all_src.mid"))
    for instrument in midi.instruments:
        instrument.notes = [note for note in instrument.notes if note.start < seconds]
        for note in instrument.notes:
            note.end = min(note.end, seconds)
    midi.instruments = [instrument for instrument in midi.instruments if instrument.notes]
    paths = os.path.join(folder, "in.wav"), os.path.join(folder, "in.mid")
    soundfile.write(paths[0], audio[: int(seconds * rate)], rate)
    midi.write(paths[1])
    return paths


def scores_of(hitscribe, song, seconds, options):
    """The engine's scores of what it transcribes."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.mid")
        reference = os.path.join(os.path.dirname(song), "all_src.mid")
        if seconds:
            song, reference = beginning(song, seconds, folder)
        subprocess.run([hitscribe, "transcribe", song, "-o", out, *options], check=True, capture_output=True)
        scores = subprocess.run([hitscribe, "eval", "--json", reference, out], check=True, capture_output=True).stdout
    return json.loads(scores)["notes"]


def main():
    arguments, more = sys.argv[1:], []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, more = arguments[:place], arguments[place + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hitscribe", help="the hitscribe program")
    parser.add_argument("folders", nargs="+", help="songs in Slakh's layout")
    parser.add_argument("--model", required=True)
    parser.add_argument("--seconds", type=float, help="how much of each song")
    parser.add_argument("--json", help="write the values of each song to this file")
    options = parser.parse_args(arguments)
    found = songs(options.folders)
    chosen = ["--model", options.model, *more]
    notes = [scores_of(options.hitscribe, song, options.seconds, chosen) for song in found]
    values = {name: [float(one[group][value] or 0) for one in notes] for name, (group, value) in METRICS.items()}
    print(f"{len(found)} songs")
    for name, of_songs in values.items():
        print(f"{name}: {np.mean(of_songs):.3f} +- {np.std(of_songs):.3f}")
    groups = sorted({group for one in notes for group in one["multi_full"]["per_group_f1"]})
    of_group = lambda group: [
        one["multi_full"]["per_group_f1"][group] for one in notes if group in one["multi_full"]["per_group_f1"]
    ]
    print("  ".join(f"{group} {np.mean(of_group(group)):.3f} ({len(of_group(group))})" for group in groups))
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"songs": found, **values}, file)


if __name__ == "__main__":
    main()
