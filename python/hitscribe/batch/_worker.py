"""What runs on the workers."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, NamedTuple, Optional

import hitscribe
from hitscribe.batch._storage import BLOCK_BYTES, File, Folder
from hitscribe.batch._tables import PARTS, note_row, read_part, write_part


#: A file for each attempt at a task, while a run lasts.
ATTEMPTS = "attempts"
#: How many workers may die of a task. Ray itself would run it again without end.
MOST_ATTEMPTS = 3


class Job(NamedTuple):
    """What all tasks of a run share."""

    input: str
    output: str
    options: Dict[str, Any]
    """Options of `hitscribe.Transcriber`."""


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

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, List[Any]]:
        outcomes: Dict[str, List[Any]] = {"durations": [], "failed": []}
        for part, files in zip(batch["part"], batch["files"]):
            rows = self._task(str(part), files)
            outcomes["durations"].append([row["duration"] or 0.0 for row in rows])
            outcomes["failed"].append([row["error"] is not None for row in rows])
        return outcomes

    def _task(self, part: str, entries: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
        # A task that is run again, because its worker died after the last step.
        if self._output.exists(f"{PARTS}/{part}"):
            return read_part(self._output, part, ["duration", "error"]).to_pylist()
        files = [
            File(str(entry["name"]), int(entry["size"]), int(entry["modified_ns"])) for entry in entries
        ]
        if self._may_try(part):
            known = [str(entry["known_sha256"]) for entry in entries]
            rows = [self._file(file, sha256) for file, sha256 in zip(files, known)]
        elif len(files) == 1:
            rows = [failed_row(files[0], f"its worker died {MOST_ATTEMPTS} times")]
        else:
            # Each of them gets a task of its own.
            return []
        write_part(self._output, part, rows)
        return [{"duration": None, "error": None, **row} for row in rows]

    def _may_try(self, part: str) -> bool:
        """Counts an attempt; false if there were too many."""
        for attempt in range(MOST_ATTEMPTS):
            name = f"{ATTEMPTS}/{part}.{attempt}"
            if not self._output.exists(name):
                self._output.write(name, b"")
                return True
        return False

    def _file(self, file: File, known_sha256: str) -> Dict[str, Any]:
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
