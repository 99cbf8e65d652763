"""Transcribes folders of recordings on many cores or machines, with Ray.

    python -m hitscribe.batch INPUT OUTPUT [--address auto]

INPUT and OUTPUT are folders, or URIs of pyarrow's file systems such as ``s3://bucket/songs``. Needs
the extra ``hitscribe[batch]``. OUTPUT gets

- ``midi/``: a MIDI file for each recording, ``song.wav.mid`` for ``song.wav``;
- ``notes.parquet``: the notes of all recordings, one row for each;
- ``files.parquet``: all recordings, with length, model, warnings and content hash;
- ``failures.parquet``: what could not be transcribed, with the reasons;
- ``parts/`` and ``settings.json``: the state of the run.

A recording that cannot be transcribed does not stop the run. If the run is interrupted, start it
again: only what is missing or has changed is transcribed. Work that was lost with a worker is done
by another one.
"""
