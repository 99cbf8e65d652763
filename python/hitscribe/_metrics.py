"""Scores of a transcription against a reference."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterable, Union

from hitscribe import _native
from hitscribe._song import Note, Song

Notes = Union[Song, Iterable[Note], str, "os.PathLike[str]"]


def evaluate(reference: Notes, estimate: Notes) -> Dict[str, Any]:
    """Scores of a transcription against a reference.

    Parameters
    ----------
    reference, estimate
        A `Song`, notes, or the path of a MIDI or JSON file.

    Returns
    -------
    The scores of the command ``hitscribe eval --json``. ``["notes"]`` has the note metrics of MT3
    and MR-MT3, those of ``mir_eval.transcription`` with an onset tolerance of 50 ms:
    ``["notes"]["onset"]["f1"]``, ``["precision"]``, ``["recall"]``. ``["scores"]`` has the drum
    metrics: by grouping (3, 5 or 8 classes), then by tolerance:
    ``["scores"]["5"]["50ms"]["micro"]["F"]``; with timing (``["timing_ms"]``, in milliseconds) and
    dynamics (``["velocity"]``).

    Raises ``OSError`` for a file that cannot be read, ``ValueError`` for one that has no notes that
    can be read.
    """
    return json.loads(_native.evaluate(_plain(reference), _plain(estimate)))


def _plain(notes: Notes) -> Any:
    if isinstance(notes, (str, os.PathLike)):
        return notes
    return list(notes.notes if isinstance(notes, Song) else notes)
