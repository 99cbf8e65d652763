"""Whether the first hits of tightly cut loops are found: loops of kits that training never has, whose first strokes
begin with the first sample.

    python -m hitscribe_train.drums.first_hits HITSCRIBE BANK/holdout_oneshots BANK2/holdout2 [--count 200] [--seed 1]

Each loop is two bars of sixteen steps on one kit, as it was recorded or compressed. The first step has a kick in most,
often with a hat, a cymbal or a snare. A first hit is right with a note of its group (kick, snare, hat, tom, cymbal) in
the first 25 ms; the share within 3 ms is printed, too. The same loops with 20 ms of silence in front are the control.
"""

import argparse
import collections
import json
import os
import subprocess
import tempfile

import numpy as np
import soundfile

RATE, ONSET_SAMPLE = 32_000, 128
GROUPS = {
    "kick": ("kick", {35, 36}), "snare": ("snare", {37, 38, 39, 40}), "hat": ("hihat_closed", {42, 44, 46}),
    "tom": ("tom_floor", {41, 43, 45, 47, 48, 50}), "cymbal": ("crash", {49, 51, 52, 53, 55, 57, 59}),
}  # fmt: skip
# What the first step has, and how often.
BEGINNINGS = {("kick", "hat"): 0.45, ("kick",): 0.25, ("kick", "cymbal"): 0.12, ("snare",): 0.08, ("hat",): 0.06, ("tom",): 0.04}


def kits(folders):
    """Kit -> group -> sounds, for kits with a kick, a snare and a hat."""
    sounds = collections.defaultdict(lambda: collections.defaultdict(list))
    for folder in folders:
        for line in open(os.path.join(folder, "index.jsonl")):
            row = json.loads(line)
            for group, (name, _) in GROUPS.items():
                if row["class"] == name:
                    audio = soundfile.read(os.path.join(folder, row["file"]), dtype="float32")[0]
                    rank = row.get("velocity_rank")
                    sounds[row["kit"]][group].append((1.0 if rank is None else rank, audio[row.get("onset_sample", ONSET_SAMPLE) :]))
    return {kit: groups for kit, groups in sorted(sounds.items()) if {"kick", "snare", "hat"} <= groups.keys()}


def loop(rng, kit):
    """Samples, and the groups of the first step."""
    step = round(RATE * 60.0 / rng.uniform(75.0, 170.0) / 4.0)
    audio = np.zeros(32 * step + RATE, np.float32)
    # One sound for each group, of the louder half.
    choice = {}
    for group, sounds in kit.items():
        ranked = sorted(sounds, key=lambda sound: sound[0])
        choice[group] = ranked[rng.integers(len(ranked) // 2, len(ranked))][1]
    gains = {"kick": 0.9, "snare": 0.8, "hat": 0.4, "tom": 0.8, "cymbal": 0.5}
    beginnings = [groups for groups in BEGINNINGS if set(groups) <= choice.keys()]
    shares = np.array([BEGINNINGS[groups] for groups in beginnings])
    first = beginnings[rng.choice(len(beginnings), p=shares / shares.sum())]
    hats, swing = rng.choice((1, 2, 4)), rng.uniform(0.0, 0.2) if rng.random() < 0.3 else 0.0
    for index in range(32):
        groups = set()
        if index == 0:
            groups = set(first)
        else:
            if index % hats == 0:
                groups.add("hat")
            if index % 16 in (4, 12):
                groups.add("snare")
            if index % 16 == 0 or rng.random() < 0.12:
                groups.add("kick")
        start = index * step + (round(swing * step) if index % 2 else 0)
        for group in groups:
            level = gains[group] * (1.0 if index == 0 or group != "hat" else rng.uniform(0.5, 1.0))
            sound = choice[group][: len(audio) - start]
            audio[start : start + len(sound)] += level * sound
    audio = audio[: 32 * step]
    if rng.random() < 0.5:
        audio = np.tanh(audio * rng.uniform(1.0, 3.0) / np.abs(audio).max())
    return audio * (rng.uniform(0.2, 0.98) / np.abs(audio).max()), first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for the loops")
    options, more = parser.parse_known_args()
    rng, of_kits = np.random.default_rng(options.seed), kits(options.folders)
    names = list(of_kits)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        for kind in ("cut", "control"):
            os.makedirs(os.path.join(folder, kind), exist_ok=True)
        truth = {}
        for index in range(options.count):
            kit = names[index % len(names)]
            audio, first = loop(rng, of_kits[kit])
            truth[f"{index:03}"] = (kit, first)
            for kind, silence in (("cut", 0), ("control", RATE // 50)):
                samples = np.concatenate([np.zeros(silence, np.float32), audio])
                soundfile.write(os.path.join(folder, kind, f"{index:03}.wav"), samples, RATE, "PCM_16")
        for kind, silence in (("cut", 0.0), ("control", 0.02)):
            out = os.path.join(folder, kind + "-out")
            command = [options.program, "transcribe", os.path.join(folder, kind), "--source", "drums", "-o", out, *more]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            score(kind, out, silence, truth)


def onsets(path):
    """Seconds and key of the notes of a MIDI file."""
    import mido

    seconds, found = 0.0, []
    for message in mido.MidiFile(path):
        seconds += message.time
        if message.type == "note_on" and message.velocity:
            found.append((seconds, message.note))
    return found


def score(kind, out, silence, truth):
    right, close, asked, missed = 0, 0, 0, collections.Counter()
    for name, (kit, first) in truth.items():
        notes = onsets(os.path.join(out, name + ".mid"))
        for group in first:
            errors = [abs(s - silence) for s, key in notes if key in GROUPS[group][1] and abs(s - silence) < 0.025]
            asked += 1
            right += bool(errors)
            close += bool(errors) and min(errors) <= 0.003
            if not errors:
                missed[f"{kit}: {group} of {'+'.join(first)}"] += 1
    print(f"{kind}: {right} of {asked} first hits right, {100 * right / asked:.1f} %; within 3 ms {100 * close / asked:.1f} %")
    for what, count in missed.most_common():
        print(f"  {count} missed: {what}")


if __name__ == "__main__":
    main()
