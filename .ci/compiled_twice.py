#!/usr/bin/env python3
"""Lists third-party crates that the README's commands would compile more than once.

Cargo compiles a crate again if another command asks for other features of it, or of a crate below
it. The pins in third-party/Cargo.toml keep the features equal. Only plans are read: nothing is
compiled.
"""

import json
import os
import subprocess
import sys

COMMANDS = {
    "first command": ["build", "--package", "hitscribe-cli"],
    "tests": ["test", "--workspace"],
    "bundle": ["build", "--package", "hitscribe-plugin", "--lib"],
    "xtask": ["build", "--package", "xtask"],
    "wheel": ["build", "--package", "hitscribe-python", "--features", "extension"],
}


def units(arguments):
    """What Cargo would compile: (crate, mode) with features and a hash over all that lies below."""
    # The plan is an unstable option of Cargo, hence the variable.
    plan = subprocess.run(
        ["cargo", *arguments, "--release", "--unit-graph", "-Z", "unstable-options"],
        env=os.environ | {"RUSTC_BOOTSTRAP": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    units = json.loads(plan.stdout)["units"]
    hashes = {}

    def hash_of(index):
        if index not in hashes:
            unit = units[index]
            below = sorted(hash_of(dependency["index"]) for dependency in unit["dependencies"])
            target = (unit["target"]["kind"], unit["target"]["name"], unit["mode"], unit["platform"])
            profile = json.dumps(unit["profile"], sort_keys=True)
            own = (unit["pkg_id"], str(target), tuple(unit["features"]), profile)
            hashes[index] = hash((own, tuple(below)))
        return hashes[index]

    found = {}
    for index, unit in enumerate(units):
        if not unit["pkg_id"].startswith("registry+"):
            continue
        # Crates of build scripts and macros are compiled with less optimisation: those are other
        # units.
        key = (unit["pkg_id"].rpartition("#")[2], unit["target"]["kind"][0], unit["mode"])
        key += (unit["profile"]["opt_level"],)
        found.setdefault(key, {})[hash_of(index)] = tuple(unit["features"])
    return found


def main():
    sys.setrecursionlimit(100_000)
    seen = {}
    again = 0
    for name, arguments in COMMANDS.items():
        for key, hashes in units(arguments).items():
            known = seen.setdefault(key, {})
            for digest, features in hashes.items():
                if known and digest not in known:
                    again += 1
                    crate, kind, mode, _ = key
                    others = {f for other in known.values() for f in other}
                    difference = sorted(others ^ set(features)) or "of a crate below it"
                    print(f"{name}: {crate} ({kind}, {mode}) again: features {difference}")
                known[digest] = features
    print(f"{again} compiled again" if again else "every third-party crate is compiled once")
    return 1 if again else 0


if __name__ == "__main__":
    sys.exit(main())
