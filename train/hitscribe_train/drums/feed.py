"""Renders segments into a ring, as fast as they are used:

    python -m hitscribe_train.drums.feed --ring DIR --renderer PROGRAM --bank DIR [--bank DIR] [--pool DIR ...]

It waits while every segment written has been read less than --uses times on average, but always fills the
ring to --first-fill. Runs until it is stopped; the next start goes on with other segments.
"""

import argparse
import signal
import subprocess
import time

import torch

from .features import BandPowers
from .ring import Ring, parse, record_bytes


def renderer_command(options, samples, first):
    command = [options.renderer, "segments", "--seed", str(options.seed), "--first", str(first), "--count", str(10**9)]
    for bank in options.bank:
        command += ["--bank", bank]
    for pool in options.pool:
        command += ["--pool", pool]
    if options.seconds:
        command += ["--seconds", f"{options.seconds}"]
    return command + options.extra.split()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ring", required=True)
    parser.add_argument("--renderer", required=True, help="the hitscribe-train program")
    parser.add_argument("--bank", action="append", required=True)
    parser.add_argument("--pool", action="append", default=[])
    parser.add_argument("--extra", default="", help="more arguments for the renderer, in one string")
    parser.add_argument("--seconds", type=float, default=8.192, help="of a segment; 0: the renderer's own 4.096")
    parser.add_argument("--slots", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uses", type=float, default=2.5)
    parser.add_argument("--first-fill", type=int, default=600)
    parser.add_argument("--forget", action="store_true", help="replace what is in the ring: it was rendered otherwise")
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples = round((options.seconds or 4.096) * 32_000)
    ring, transform = Ring(options.ring, samples, options.slots), BandPowers()
    if options.forget:
        ring.forget()
    process = subprocess.Popen(
        renderer_command(options, samples, int(ring.totals[0])), stdout=subprocess.PIPE, bufsize=record_bytes(samples)
    )
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(0)))
    begin, before = time.monotonic(), int(ring.totals[0])
    try:
        while True:
            while ring.totals[0] >= options.first_fill and ring.totals[0] * options.uses > ring.totals[1]:
                time.sleep(0.5)
            record = process.stdout.read(record_bytes(samples))
            if len(record) < record_bytes(samples):
                raise SystemExit(f"the renderer ended with status {process.wait()}")
            audio, hits = parse(record, samples)
            with torch.no_grad():
                ring.write(transform(torch.from_numpy(audio)[None])[0].numpy(), hits)
            written = int(ring.totals[0])
            if written % 200 == 0:
                rate = (written - before) / (time.monotonic() - begin)
                print(f"{time.strftime('%H:%M:%S')} {written} segments, {rate:.2f} a second", flush=True)
    finally:
        process.kill()


if __name__ == "__main__":
    main()
