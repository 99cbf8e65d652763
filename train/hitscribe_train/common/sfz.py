"""Reads the regions of an SFZ instrument: which sample plays which keys and velocities, and how.

It reads what sampled instruments need for plain notes: headers, #define, #include, ranges, tuning, volume,
release. Regions that a controller, a keyswitch or the release of a key starts are left out.
"""

import re
from math import log10
from pathlib import Path
from typing import NamedTuple

HEADERS = ("control", "global", "master", "group")
TOKEN = re.compile(r"<(\w+)>|([A-Za-z_]\w*)=")
DIRECTIVE = re.compile(r'#define\s+(\$\w+)\s+(\S+)|#include\s+"([^"]+)"')
SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


class Region(NamedTuple):
    """A sample and what plays it. Ranges are inclusive."""

    sample: Path
    keys: tuple
    velocities: tuple
    root: int
    """The key at which the sample sounds as recorded."""
    tune_cents: float
    volume_db: float
    release_seconds: float
    start_frames: int


def key_number(text):
    """A key as a number, or as a name such as c#4, which is 61."""
    named = re.fullmatch(r"([a-gA-G])([#b]?)(-?\d+)", text)
    if not named:
        return int(float(text))
    name, accidental, octave = named.groups()
    return SEMITONES[name.lower()] + {"#": 1, "b": -1, "": 0}[accidental] + 12 * (int(octave) + 1)


def expanded(path, root, defined):
    """The text of a file with what it includes in place, names replaced as far as they are defined."""
    text = re.sub(r"//[^\n]*", "", path.read_text(errors="replace"))

    def replaced(part):
        for name in sorted(defined, key=len, reverse=True):
            part = part.replace(name, defined[name])
        return part

    out, done = [], 0
    for directive in DIRECTIVE.finditer(text):
        out.append(replaced(text[done : directive.start()]))
        done = directive.end()
        name, value, include = directive.groups()
        if include:
            out.append(expanded(root / replaced(include).replace("\\", "/"), root, defined))
        else:
            defined[name] = replaced(value)
    out.append(replaced(text[done:]))
    return "".join(out)


def opcodes(text):
    """(header, its opcodes) in the order of the file."""
    found = []
    tokens = list(TOKEN.finditer(text))
    ends = [token.start() for token in tokens[1:]] + [len(text)]
    for token, end in zip(tokens, ends):
        if token.group(1):
            found.append((token.group(1), {}))
        elif found:
            name, value = token.group(2), text[token.end() : end].strip()
            # Only names of files have spaces.
            found[-1][1][name] = value if name in ("sample", "default_path") else value.partition(" ")[0].strip()
    return found


def controllers(values):
    """What controllers are at before anybody moves them, 0 to 127."""
    found = {}
    for name, value in values.items():
        setting = re.fullmatch(r"set_(hd)?cc(\d+)", name)
        if setting:
            found[setting.group(2)] = float(value) * (127 if setting.group(1) else 1)
    return found


def is_plain(values):
    """Whether a key that is struck plays it, with every controller at rest."""
    if values.get("trigger", "attack") not in ("attack", "first") or values.get("sample", "*").startswith("*"):
        return False
    at_rest = controllers(values)
    for name, value in values.items():
        condition = re.fullmatch(r"(lo|hi|start_lo|on_lo)cc(\d+)", name)
        if condition:
            bound, now = float(value), at_rest.get(condition.group(2), 0.0)
            if condition.group(1) == "hi" and now > bound or condition.group(1) == "lo" and now < bound:
                return False
            if condition.group(1) in ("start_lo", "on_lo"):
                return False
    default = values.get("sw_default")
    return values.get("sw_last", default) == default


def region(values, folder):
    """The region of all opcodes that apply to it; None for what is no plain note."""
    if not is_plain(values):
        return None
    key = values.get("key")
    keys = [key_number(values.get(name, key or default)) for name, default in (("lokey", "0"), ("hikey", "127"))]
    root = key_number(values.get("pitch_keycenter", key or "60"))
    velocities = int(values.get("lovel", 1)), int(values.get("hivel", 127))
    volume = sum(float(values.get(name, 0)) for name in ("volume", "group_volume", "master_volume", "gain"))
    curve = f"amp_velcurve_{velocities[1]}"
    if curve in values:
        # Full level is reached at this velocity instead of 127, from where the level falls with its square.
        volume += 40 * log10(127 / velocities[1]) + 20 * log10(max(float(values[curve]), 1e-3))
    return Region(
        folder / (values.get("default_path", "") + values["sample"]).replace("\\", "/"),
        tuple(keys),
        velocities,
        root - int(float(values.get("transpose", 0))),
        float(values.get("tune", values.get("pitch", 0))),
        volume,
        float(values.get("ampeg_release", 0.1)),
        int(float(values.get("offset", 0))),
    )


def regions(path, samples=None):
    """All plain regions of an SFZ file, whose samples are in the folder `samples`, by default in its own."""
    path = Path(path)
    samples = Path(samples) if samples else path.parent
    scopes = {header: {} for header in HEADERS}
    found = []
    for header, values in opcodes(expanded(path, path.parent, {})):
        if header in scopes:
            scopes[header] = values
            # A header resets those within it.
            for inner in HEADERS[HEADERS.index(header) + 1 :]:
                scopes[inner] = {}
        elif header == "region":
            applying = {}
            for scope in HEADERS:
                applying.update(scopes[scope])
            one = region({**applying, **values}, samples)
            if one:
                found.append(one)
    return found
