"""Notes that a model writes as pitched ones where drums alone play.

    python -m hitscribe_train.mt3.leakage HITSCRIBE FOLDER [FOLDER ...] --model FILE.pth [--seconds N]

Of songs in Slakh's layout the stems of drums, transcribed with the front end of the training and with the other one,
as a mix and as drums, and filtered by each leakage filter: how many pitched notes are left for each hundred drum
notes that the stems have, and how many drum notes.
"""

import argparse
import glob
import json
import os
import subprocess
import tempfile

import pretty_midi
import soundfile

FILTERS = ("off", "auto", "drums-only", "smart", "pitch", "confidence", "remap-chromatic")
WAYS = {
    "right front end": [],
    "wrong front end": ["--frontend", "mt3-pytorch"],
    "right front end, constraint": ["--source", "drums"],
    "wrong front end, constraint": ["--frontend", "mt3-pytorch", "--source", "drums"],
}


def drum_stems(folders):
    """Stems and their MIDI files."""
    found = []
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "**/MIDI/*.mid"), recursive=True)):
            if all(instrument.is_drum for instrument in pretty_midi.PrettyMIDI(path).instruments):
                name = os.path.basename(path).replace(".mid", ".wav")
                found.append((os.path.join(os.path.dirname(path), "../stems", name), path))
    return found


def beginning(stem, midi, seconds, path):
    """Writes the first seconds; how many notes begin in them."""
    audio, rate = soundfile.read(stem, dtype="int16")
    seconds = seconds or len(audio) / rate
    soundfile.write(path, audio[: int(seconds * rate)], rate)
    return sum(note.start < seconds for one in pretty_midi.PrettyMIDI(midi).instruments for note in one.notes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hitscribe", help="the hitscribe program")
    parser.add_argument("folders", nargs="+", help="songs in Slakh's layout")
    parser.add_argument("--model", required=True)
    parser.add_argument("--seconds", type=float, help="how much of each song")
    options = parser.parse_args()

    def run(*arguments):
        output = subprocess.run([options.hitscribe, *arguments], check=True, capture_output=True).stdout
        return [note["is_drum"] for note in json.loads(output)["notes"]]

    stems = drum_stems(options.folders)
    total, counts = 0, {}
    for stem, midi in stems:
        with tempfile.TemporaryDirectory() as folder:
            audio, out = os.path.join(folder, "in.wav"), os.path.join(folder, "out.json")
            total += beginning(stem, midi, options.seconds, audio)
            for way, arguments in WAYS.items():
                command = ["transcribe", audio, "--json", "--model", options.model, *arguments]
                subprocess.run([options.hitscribe, *command, "--overwrite", "-o", out], check=True, capture_output=True)
                # The constraint leaves nothing to filter.
                for name in FILTERS if "--source" not in arguments else ("off",):
                    is_drum = run("filter", out, "--json", "--leakage", name)
                    pitched, drums = counts.get((way, name), (0, 0))
                    counts[way, name] = pitched + is_drum.count(False), drums + is_drum.count(True)
    print(f"{len(stems)} stems, {total} notes; per 100 of them: pitched notes, drum notes")
    for (way, name), (pitched, drums) in counts.items():
        print(f"| {way} | {name} | {100 * pitched / total:.1f} | {100 * drums / total:.1f} |")


if __name__ == "__main__":
    main()
