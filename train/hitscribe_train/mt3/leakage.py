"""Notes that a model writes as pitched ones where drums alone play.

    python -m hitscribe_train.mt3.leakage HITSCRIBE FOLDER [FOLDER ...] --model FILE.pth

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

FILTERS = ("off", "auto", "drums-only", "smart", "pitch", "confidence", "remap-chromatic")
WAYS = {
    "right front end": [],
    "wrong front end": ["--frontend", "mt3-pytorch"],
    "right front end, constraint": ["--source", "drums"],
    "wrong front end, constraint": ["--frontend", "mt3-pytorch", "--source", "drums"],
}


def drum_stems(folders):
    """Stems and their numbers of notes."""
    from mido import MidiFile

    found = []
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "**/MIDI/*.mid"), recursive=True)):
            notes = [m for track in MidiFile(path).tracks for m in track if m.type == "note_on" and m.velocity]
            if notes and all(m.channel == 9 for m in notes):
                name = os.path.basename(path).replace(".mid", ".wav")
                found.append((os.path.join(os.path.dirname(path), "../stems", name), len(notes)))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hitscribe", help="the hitscribe program")
    parser.add_argument("folders", nargs="+", help="songs in Slakh's layout")
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    stems = drum_stems(options.folders)
    total = sum(count for _, count in stems)
    print(f"{len(stems)} stems, {total} notes; per 100 of them: pitched notes, drum notes")
    for way, arguments in WAYS.items():
        # The constraint leaves nothing to filter.
        for name in FILTERS if "--source" not in arguments else ("off",):
            pitched = drums = 0
            for stem, _ in stems:
                with tempfile.TemporaryDirectory() as folder:
                    out = os.path.join(folder, "out.json")
                    command = [options.hitscribe, "transcribe", stem, "--json", "-o", out, "--model", options.model]
                    subprocess.run([*command, *arguments, "--leakage", name], check=True, capture_output=True)
                    with open(out) as file:
                        notes = json.load(file)["notes"]
                is_drum = [bool(note["is_drum"]) for note in notes]
                drums += sum(is_drum)
                pitched += len(is_drum) - sum(is_drum)
            print(f"| {way} | {name} | {100 * pitched / total:.1f} | {100 * drums / total:.1f} |", flush=True)


if __name__ == "__main__":
    main()
