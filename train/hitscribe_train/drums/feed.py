"""Renders segments into a ring, as fast as they are used:

    python -m hitscribe_train.drums.feed --ring DIR --renderer PROGRAM --bank DIR [--bank DIR] [--pool DIR ...]

It waits while every segment written has been read less than --uses times on average, but always fills the
ring to --first-fill. Runs until it is stopped; the next start goes on with other segments.
"""

import argparse
import signal
import subprocess
import time

import numpy as np
import torch

from .features import BandPowers
from .ring import Ring


def renderer_command(options, first, more):
    command = [options.renderer, "segments", "--seed", str(options.seed), "--first", str(first), "--count", str(10**9)]
    for bank in options.bank:
        command += ["--bank", bank]
    for pool in options.pool:
        command += ["--pool", pool]
    if options.seconds:
        command += ["--seconds", f"{options.seconds}"]
    return [*command, *more, *options.extra.split()]


def main(ring_type=Ring, transform_type=BandPowers, about=__doc__, more=(), varied=None):
    """`varied`: changes the audio and hits of a segment with a random number generator, before the transform."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    ring, transform = ring_type(options.ring, samples, options.slots), transform_type()
    if options.forget:
        ring.forget()
    size = ring.record_bytes(samples)
    rng = np.random.default_rng([options.seed, int(ring.totals[0])])
    command = renderer_command(options, int(ring.totals[0]), more)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=size)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(0)))
    begin, before = time.monotonic(), int(ring.totals[0])
    try:
        while True:
            while ring.totals[0] >= options.first_fill and ring.totals[0] * options.uses > ring.totals[1]:
                time.sleep(0.5)
            record = process.stdout.read(size)
            if len(record) < size:
                raise SystemExit(f"the renderer ended with status {process.wait()}")
            audio, hits = ring.parse(record, samples)
            if varied:
                audio, hits = varied(audio, hits, rng)
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
