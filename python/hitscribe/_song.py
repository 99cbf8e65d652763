"""The notes of a recording."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Tuple, Union

from hitscribe import _native

if TYPE_CHECKING:
    import numpy
    import pandas
    import pretty_midi

Path = Union[str, "os.PathLike[str]"]

_DRUM_CLASSES = dict(_native.DRUM_CLASSES)


class Note(NamedTuple):
    """A drum hit or a pitched note."""

    onset: float
    """Start in seconds from the start of the recording."""
    offset: float
    """End in seconds, not before the onset. Drum hits last 0.05 s."""
    pitch: int
    """MIDI key, 0 to 127; of a drum hit its General MIDI percussion key."""
    velocity: int
    """MIDI velocity, 1 to 127."""
    drum: bool
    """Whether this is a drum hit."""
    program: int = 0
    """General MIDI program, 0 to 127; 0 for drum hits."""
    confidence: float = 1.0
    """Probability that the model assigns to the note, 0 to 1."""
    openness: Optional[int] = None
    """Openness of a hi-hat hit, 0 (closed tightly) to 126 (fully open), if it was measured."""

    @property
    def drum_class(self) -> Optional[str]:
        """Name of the drum, such as ``"kick"`` or ``"closed_hat"``.

        None for a pitched note, and for a percussion key that is none of the 19 classes.
        """
        return _DRUM_CLASSES.get(self.pitch) if self.drum else None


class Beats(NamedTuple):
    """Tempo, meter and beats of a recording."""

    tempo: float
    """Quarter notes per minute; the mean where the tempo changes."""
    meter: Tuple[int, int]
    """Beats in a bar, and their note value: ``(4, 4)``."""
    times: List[float]
    """Times of the beats in seconds."""
    downbeats: List[float]
    """Times of the first beats of bars in seconds."""
    confidence: float
    """From 0 to 1."""


@dataclass
class Song:
    """The transcription of a recording.

    It is plain data: it can be pickled, and ``notes`` can be changed before it is converted.
    """

    notes: List[Note]
    """The notes by onset, then by pitch."""
    duration: float
    """Length of the recording in seconds."""
    sample_rate: int = 0
    """Sample rate of the recording in Hz; 0 if there was none."""
    model: str = ""
    """Name of the model."""
    device: str = ""
    """Where the model ran, such as ``"CPU"``."""
    complete: bool = True
    """Whether all of the audio could be read."""
    warnings: List[str] = field(default_factory=list)
    """Problems that did not prevent the transcription, such as a file that is cut off."""

    def __repr__(self) -> str:
        return f"<Song: {len(self.notes)} notes in {self.duration:.1f} s>"

    def beats(self) -> Optional[Beats]:
        """Tempo, meter and beats, found from the notes; None if they have no clear pulse."""
        found = _native.beats(self.notes, self.duration)
        return None if found is None else Beats(*found)

    def midi(self) -> bytes:
        """The bytes of a Standard MIDI File, with the tempo and the bars of `beats`.

        Drums are on channel 10; every program has a track. 120 BPM if there is no clear pulse.
        """
        return _native.midi(self.notes, self.duration)

    def to_midi(self, path: Path) -> None:
        """Writes `midi` to a file, which is replaced as a whole.

        Raises ``OSError`` if it cannot be written.
        """
        content = self.midi()
        path = os.fspath(path)
        descriptor, temporary = tempfile.mkstemp(prefix=".hitscribe-", dir=os.path.dirname(path) or ".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            # mkstemp makes files that only their owner can read.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def to_numpy(self) -> "numpy.ndarray[Any, Any]":
        """The notes as a structured array of shape ``(len(notes),)``.

        The fields are those of `Note`: ``onset`` and ``offset`` (float64, seconds), ``pitch``,
        ``velocity`` and ``program`` (uint8), ``drum`` (bool), ``confidence`` (float32) and
        ``openness`` (int16, -1 if it was not measured).

        For mir_eval: ``intervals = numpy.stack([a["onset"], a["offset"]], axis=1)``.
        """
        import numpy

        kinds = {
            "onset": "f8", "offset": "f8", "pitch": "u1", "velocity": "u1",
            "drum": "?", "program": "u1", "confidence": "f4", "openness": "i2",
        }  # fmt: skip
        rows = [(*note[:7], -1 if note.openness is None else note.openness) for note in self.notes]
        return numpy.array(rows, dtype=[(name, kinds[name]) for name in Note._fields])

    def to_dataframe(self) -> "pandas.DataFrame":
        """The notes as a table with the fields of `Note` and ``drum_class``. Needs pandas."""
        import pandas

        table = pandas.DataFrame(self.to_numpy())
        table["openness"] = pandas.array([note.openness for note in self.notes], dtype="Int16")
        table["drum_class"] = [note.drum_class for note in self.notes]
        return table

    def to_pretty_midi(self) -> "pretty_midi.PrettyMIDI":
        """The notes as a ``pretty_midi.PrettyMIDI``: drums, then an instrument for each program.

        Needs pretty_midi. Its tempo is the one of `beats`, or 120.
        """
        import pretty_midi

        beats = self.beats()
        song = pretty_midi.PrettyMIDI(initial_tempo=beats.tempo if beats else 120.0)
        instruments = {}
        for note in sorted(self.notes, key=lambda note: (not note.drum, note.program)):
            key = (note.drum, note.program)
            if key not in instruments:
                name = "Drums" if note.drum else pretty_midi.program_to_instrument_name(note.program)
                instruments[key] = pretty_midi.Instrument(note.program, note.drum, name)
                song.instruments.append(instruments[key])
            instruments[key].notes.append(
                pretty_midi.Note(note.velocity, note.pitch, note.onset, note.offset)
            )
        return song
