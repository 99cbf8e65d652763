"""The tables of a run: parts while it runs, and what is made of them at the end.

A part has a row for each recording of one task, with its notes as a list. It is written whole, when
the task is done: a recording is done if a part has it. Where several parts have a recording, the
last one counts; names of parts begin with the time of the run.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hitscribe._song import Note
from hitscribe.batch._storage import Folder

PARTS = "parts"

NOTE_FIELDS = [
    pa.field("onset", pa.float64()),
    pa.field("offset", pa.float64()),
    pa.field("pitch", pa.uint8()),
    pa.field("velocity", pa.uint8()),
    pa.field("drum", pa.bool_()),
    pa.field("program", pa.uint8()),
    pa.field("confidence", pa.float32()),
    pa.field("openness", pa.uint8()),
    pa.field("class", pa.string()),
]

FILE_FIELDS = [
    pa.field("file", pa.string()),
    pa.field("size", pa.int64()),
    pa.field("modified_ns", pa.int64()),
    pa.field("sha256", pa.string()),
    pa.field("duration", pa.float64()),
    pa.field("sample_rate", pa.int32()),
    pa.field("note_count", pa.int64()),
    pa.field("complete", pa.bool_()),
    pa.field("warnings", pa.list_(pa.string())),
    pa.field("model", pa.string()),
    pa.field("version", pa.string()),
    pa.field("error", pa.string()),
]

# Without notes although there is no error: they are those of an earlier row with the same hash.
PART = pa.schema([*FILE_FIELDS, pa.field("notes", pa.list_(pa.struct(NOTE_FIELDS)))])

NOTES = pa.schema(
    [
        pa.field("file", pa.string()),
        *NOTE_FIELDS,
        pa.field("model", pa.string()),
        pa.field("version", pa.string()),
    ]
)

FAILURES = ["file", "error", "size", "modified_ns", "sha256", "version"]


def note_row(note: Note) -> Dict[str, Any]:
    """A note as a row."""
    return {**note._asdict(), "class": note.drum_class}


def write_part(output: Folder, name: str, rows: List[Dict[str, Any]]) -> None:
    """Writes the part of a task."""
    with output.writer(f"{PARTS}/{name}") as stream:
        pq.write_table(pa.Table.from_pylist(rows, schema=PART), stream, compression="zstd")


def read_part(output: Folder, name: str, columns: Optional[List[str]] = None) -> pa.Table:
    """Reads a part, or some columns of it."""
    with output.system.open_input_file(output.full(f"{PARTS}/{name}")) as file:
        return pq.read_table(file, columns=columns)


class Done(NamedTuple):
    """What the parts have on a recording."""

    row: Dict[str, Any]
    """The fields of its last row, without notes."""
    notes_at: Optional[Tuple[str, int]]
    """The part and the row that has the notes; none if it failed."""


def done(output: Folder) -> Dict[str, Done]:
    """Everything that is done, by file."""
    names = sorted(name.split("/", 1)[1] for name in output.names(PARTS))
    columns = [field.name for field in FILE_FIELDS]
    found: Dict[str, Done] = {}
    # Waiting for remote files is most of the work.
    with ThreadPoolExecutor(16) as pool:
        tables = pool.map(lambda name: read_part(output, name, columns), names)
        for name, table in zip(names, tables):
            for index, row in enumerate(table.to_pylist()):
                earlier = found.get(row["file"])
                if row["error"] is not None:
                    place = None
                elif row["note_count"] is None and earlier:
                    place = earlier.notes_at
                    new = {name: value for name, value in row.items() if value is not None}
                    row = {**earlier.row, **new}
                else:
                    place = (name, index)
                found[row["file"]] = Done(row, place)
    return found


def write_tables(output: Folder, files: Iterable[str]) -> Tuple[int, int]:
    """Writes the tables for these files; the numbers of those that are done and that failed."""
    everything = done(output)
    entries = [everything[file] for file in sorted(files) if file in everything]
    rows = [entry.row for entry in entries]
    table = pa.Table.from_pylist(rows, schema=pa.schema(FILE_FIELDS))
    failed = pc.is_valid(table["error"])
    for name, content in (
        ("files.parquet", table.filter(pc.invert(failed)).drop_columns(["error"])),
        ("failures.parquet", table.filter(failed).select(FAILURES)),
    ):
        with output.writer(name) as stream:
            pq.write_table(content, stream, compression="zstd")
    by_part: Dict[str, List[int]] = {}
    for entry in entries:
        if entry.notes_at:
            by_part.setdefault(entry.notes_at[0], []).append(entry.notes_at[1])
    with output.writer("notes.parquet") as stream:
        with pq.ParquetWriter(stream, NOTES, compression="zstd") as writer:
            waiting: List[pa.Table] = []
            for name in sorted(by_part):
                waiting.append(_notes(read_part(output, name).take(by_part[name])))
                if sum(table.num_rows for table in waiting) >= 1 << 20:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting.clear()
            if waiting:
                writer.write_table(pa.concat_tables(waiting))
    failures = pc.sum(failed).as_py() or 0
    return len(rows) - failures, failures


def _notes(part: pa.Table) -> pa.Table:
    """A row for each note."""
    part = part.combine_chunks()
    notes = part["notes"].combine_chunks() if part.num_rows else pa.array([], PART.field("notes").type)
    files = part.take(pc.list_parent_indices(notes))
    flat = pc.list_flatten(notes)
    columns = [files["file"]]
    columns += [flat.field(field.name) for field in NOTE_FIELDS]
    columns += [files["model"], files["version"]]
    return pa.table(columns, schema=NOTES)
