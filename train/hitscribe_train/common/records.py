"""What a renderer process (`hitscribe-train`) writes, as records of fixed size."""

import subprocess

SEGMENT_SAMPLES = 131_072

# Rendering costs half as much as a training step: every segment is used this often, far apart.
USES = 2
SHUFFLED = 384  # segments waiting for their next use


def records(command, record_bytes):
    """Yields what a renderer process writes, in pieces of `record_bytes`."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=record_bytes)
    try:
        while True:
            record = process.stdout.read(record_bytes)
            if len(record) < record_bytes:
                if process.wait() != 0:
                    raise RuntimeError(f"the renderer failed: {' '.join(command)}")
                return
            yield record
    finally:
        process.kill()


def used_again(records, rng):
    """Yields every record USES times, its uses spread over about SHUFFLED others."""
    waiting = []
    for record in records:
        waiting.append((record, USES))
        while len(waiting) >= SHUFFLED:
            index = rng.integers(len(waiting))
            record, uses = waiting[index]
            yield record
            if uses > 1:
                waiting[index] = (record, uses - 1)
            else:
                waiting[index] = waiting[-1]
                waiting.pop()
