"""Makes a SoundFont of an SFZ instrument, in the renderer's rate and in mono.

    python -m hitscribe_train.common.sound_font INSTRUMENTS.json FOLDER OUT

FOLDER holds the instruments that the list names; OUT gets a file NAME.sf2 for each that is there. Samples begin with
their attack, so that they sound at the onset of their label, and are cut after eight seconds.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

from .sfz import regions

RATE = 32_000
SECONDS = 8.0
FADE_SECONDS = 0.5
#: Zeros after each sample, which the format asks for.
GAP = 46
#: An attack begins this long before the sound has a tenth of its early peak.
LEAD_SECONDS = 0.003
KEY_RANGE, VELOCITY_RANGE, RELEASE, SAMPLE, FINE_TUNE, ROOT = 43, 44, 38, 53, 52, 58


def sample(region):
    """The sound of a region from its attack on, mono, its level applied."""
    audio, rate = soundfile.read(region.sample, dtype="float32", always_2d=True, start=region.start_frames)
    audio = soxr.resample(audio[: int((SECONDS + 1) * rate)].mean(1), rate, RATE)
    early = np.abs(audio[: RATE // 2])
    attack = int(np.argmax(early > 0.1 * early.max())) - int(LEAD_SECONDS * RATE)
    audio = audio[max(attack, 0) :][: int(SECONDS * RATE)]
    fade = min(int(FADE_SECONDS * RATE), len(audio))
    audio[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return audio * 10 ** (region.volume_db / 20)


def sound(region):
    """What zones share whose sound is the same."""
    return region.sample, region.volume_db, region.start_frames


def zones(found, keys, random):
    """One region for each key and velocity: of those that take turns one at random, the outer ones stretched."""
    found = [r for r in found if keys[0] <= r.root <= keys[1] and r.keys[1] >= keys[0] and r.keys[0] <= keys[1]]
    if not found:
        raise SystemExit(f"no sample of this instrument is a plain note between the keys {keys[0]} and {keys[1]}")
    by_place = {}
    for region in found:
        by_place.setdefault((region.keys, region.velocities), []).append(region)
    chosen = [alternatives[random.integers(len(alternatives))] for alternatives in by_place.values()]
    lowest, highest = min(r.keys[0] for r in chosen), max(r.keys[1] for r in chosen)
    out = []
    for region in chosen:
        low, high = region.keys
        same = [r.velocities for r in chosen if r.keys == region.keys]
        soft, loud = region.velocities
        out.append(
            region._replace(
                keys=(0 if low == lowest else low, 127 if high == highest else high),
                velocities=(
                    0 if soft == min(v[0] for v in same) else soft,
                    127 if loud == max(v[1] for v in same) else loud,
                ),
            )
        )
    return out


def chunk(name, content):
    """A RIFF chunk."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def text(content, length):
    """A name in a field of fixed length."""
    return content.encode("ascii", "replace")[: length - 1].ljust(length, b"\0")


def timecents(seconds):
    """Seconds as the format has them."""
    return int(np.clip(1200 * np.log2(max(seconds, 1e-3)), -12_000, 8_000))


def sound_font(name, programs, zones):
    """The bytes of a SoundFont with one instrument, which is the preset of each of the programs."""
    sounds = {}
    for zone in zones:
        if sound(zone) not in sounds:
            sounds[sound(zone)] = sample(zone)
    top = max(max(np.abs(audio).max() for audio in sounds.values()), 1e-6)
    names = list(sounds)
    pcm, headers = [], b""
    start = 0
    roots = {sound(zone): zone.root for zone in zones}
    for one in names:
        audio = np.round(sounds[one] / top * 32_000).astype("<i2")
        end = start + len(audio)
        root = int(np.clip(roots[one], 0, 127))
        headers += text(one[0].stem, 20) + struct.pack("<IIIIIBbHH", start, end, start, end, RATE, root, 0, 0, 1)
        pcm.append(np.concatenate([audio, np.zeros(GAP, "<i2")]))
        start = end + GAP
    headers += text("EOS", 20) + bytes(26)

    bags, generators = b"", b""
    count = 0
    for zone in sorted(zones, key=lambda z: (z.keys, z.velocities)):
        bags += struct.pack("<HH", count, 0)
        for generator, value in (
            (KEY_RANGE, zone.keys[0] | zone.keys[1] << 8),
            (VELOCITY_RANGE, zone.velocities[0] | zone.velocities[1] << 8),
            (RELEASE, timecents(zone.release_seconds) & 0xFFFF),
            (FINE_TUNE, int(np.clip(round(zone.tune_cents), -99, 99)) & 0xFFFF),
            (ROOT, int(np.clip(zone.root, 0, 127))),
            (SAMPLE, names.index(sound(zone))),
        ):
            generators += struct.pack("<HH", generator, value)
            count += 1
    bags += struct.pack("<HH", count, 0)
    generators += bytes(4)
    modulators = bytes(10)

    presets = b"".join(
        text(name, 20) + struct.pack("<HHHIII", program, 0, index, 0, 0, 0) for index, program in enumerate(programs)
    ) + text("EOP", 20) + struct.pack("<HHHIII", 0, 0, len(programs), 0, 0, 0)
    preset_bags = b"".join(struct.pack("<HH", index, 0) for index in range(len(programs) + 1))
    preset_generators = struct.pack("<HH", 41, 0) * len(programs) + bytes(4)
    instruments = text(name, 20) + struct.pack("<H", 0) + text("EOI", 20) + struct.pack("<H", len(zones))

    info = chunk(b"ifil", struct.pack("<HH", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", text(name, 32))
    records = (
        (b"phdr", presets), (b"pbag", preset_bags), (b"pmod", modulators), (b"pgen", preset_generators),
        (b"inst", instruments), (b"ibag", bags), (b"imod", modulators), (b"igen", generators), (b"shdr", headers),
    )
    lists = (
        (b"INFO", info),
        (b"sdta", chunk(b"smpl", np.concatenate(pcm).tobytes())),
        (b"pdta", b"".join(chunk(kind, content) for kind, content in records)),
    )
    return chunk(b"RIFF", b"sfbk" + b"".join(chunk(b"LIST", kind + content) for kind, content in lists))


def main():
    wanted, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    for one in json.loads(Path(wanted).read_text()):
        path = folder / one["sfz"]
        if not path.exists():
            print(f"{one['name']}: {path} is not there")
            continue
        samples = folder / one["samples"] if "samples" in one else None
        found = zones(regions(path, samples), one["keys"], np.random.default_rng(1))
        content = sound_font(one["name"], one["programs"], found)
        (out / f"{one['name']}.sf2").write_bytes(content)
        print(f"{one['name']}: {len(found)} zones, {len(content) / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
