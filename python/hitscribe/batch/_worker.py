"""What runs on the workers."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, NamedTuple, Optional

import hitscribe
from hitscribe.batch._storage import BLOCK_BYTES, File, Folder
from hitscribe.batch._tables import PARTS, note_row, read_part, write_part


class Job(NamedTuple):
    """What all tasks of a run share."""

    input: str
    output: str
    options: Dict[str, Any]
    """Options of `hitscribe.Transcriber`."""


class Recording(NamedTuple):
    """A recording that is to be transcribed."""

    file: File
    known_sha256: Optional[str]
    """Of the content for which there are results."""


class Outcome(NamedTuple):
    """What became of a recording."""

    duration: float
    """In seconds; 0 if it is not known."""
    failed: bool


def midi_name(file: str) -> str:
    """Where the MIDI file of a recording is, below the output."""
    return f"midi/{file}.mid"


def failed_row(file: File, error: str, sha256: Optional[str] = None) -> Dict[str, Any]:
    """The row of a recording that could not be transcribed."""
    return {
        **file._asdict(),
        "file": file.name,
        "sha256": sha256,
        "version": hitscribe.__version__,
        "error": error,
    }


class Worker:
    """Holds a model, and transcribes the recordings of a task."""

    def __init__(self, job: Job) -> None:
        self._input = Folder(job.input)
        self._output = Folder(job.output)
        self._transcriber = hitscribe.Transcriber(**job.options)

    def transcribe(self, part: str, recordings: List[Recording]) -> List[Outcome]:
        """Transcribes the recordings of a task and writes its part."""
        # A task that is run again, because its worker died after the last step.
        if self._output.exists(f"{PARTS}/{part}"):
            rows = read_part(self._output, part, ["duration", "error"]).to_pylist()
        else:
            rows = [self._file(*recording) for recording in recordings]
            write_part(self._output, part, rows)
        return [Outcome(row.get("duration") or 0.0, bool(row.get("error"))) for row in rows]

    def _file(self, file: File, known_sha256: Optional[str]) -> Dict[str, Any]:
        sha256, path = None, None
        try:
            with self._input.local_copy(file.name) as path:
                sha256 = _sha256(path)
                row = {
                    **file._asdict(),
                    "file": file.name,
                    "sha256": sha256,
                    "model": self._transcriber.model,
                    "version": hitscribe.__version__,
                }
                if sha256 == known_sha256:
                    return row
                song = self._transcriber.transcribe(path)
            self._output.write(midi_name(file.name), song.midi())
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            return failed_row(file, message.replace(path or "", file.name) if path else message, sha256)
        return {
            **row,
            "duration": song.duration,
            "sample_rate": song.sample_rate,
            "note_count": len(song.notes),
            "complete": song.complete,
            "warnings": song.warnings,
            "model": song.model,
            "notes": [note_row(note) for note in song.notes],
        }


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            block = file.read(BLOCK_BYTES)
            if not block:
                return digest.hexdigest()
            digest.update(block)
