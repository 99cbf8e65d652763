"""Files a second with one and two jobs, one and two Ray workers, on a machine that does nothing else.

    python python/benches/scale.py [--files 300] [--seconds 20] [--rounds 1] [--only command|Ray]

Needs the wheel with `[batch]`. Each run transcribes all files afresh, from the start of the process
to its end, and prints files a second and the ratio of two to one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import wave

import numpy

RATE = 44_100


def recordings(folder, count, seconds):
    """Parts of the demo groove that all differ."""
    program = os.path.join(os.path.dirname(sys.executable), "hitscribe")
    subprocess.run([program, "transcribe", "demo"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with wave.open(os.path.join(folder, "demo.wav")) as file:
        groove = numpy.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    groove = numpy.tile(groove, (2 + int(seconds * RATE / len(groove)), 1))
    os.mkdir(os.path.join(folder, "in"))
    for index in range(count):
        start = index * 997 % (len(groove) // 2)
        with wave.open(os.path.join(folder, "in", f"loop {index:03}.wav"), "wb") as file:
            file.setparams((2, 2, RATE, 0, "NONE", ""))
            file.writeframes(groove[start:][: int(seconds * RATE)].tobytes())
    return program, os.path.join(folder, "in")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=("command", "Ray"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program, inputs = recordings(folder, options.files, options.seconds)
        command = [program, "transcribe", inputs, "--source", "drums"]
        batch = [sys.executable, "-m", "hitscribe.batch", inputs]
        ways = {
            "command": lambda out, n: [*command, "-o", out, "--jobs", str(n)],
            "Ray": lambda out, n: [*batch, out, "--source", "drums", "--workers", str(n)],
        }
        for turn in range(options.rounds):
            for name, arguments in ways.items():
                if options.only not in (None, name):
                    continue
                rates = []
                for count in (1, 2):
                    out = os.path.join(folder, f"{name}-{turn}-{count}")
                    begin = time.monotonic()
                    subprocess.run(arguments(out, count), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    rates.append(options.files / (time.monotonic() - begin))
                one, two = rates
                print(f"{name}: {one:.2f} and {two:.2f} files a second, {two / one:.2f} times as many", flush=True)


if __name__ == "__main__":
    main()
