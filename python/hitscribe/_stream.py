"""Audio that is transcribed while it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional

from hitscribe._samples import interleaved
from hitscribe._song import Note
from hitscribe._transcriber import Transcriber

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Length of a frame of the built-in models in seconds.
_FRAME_SECONDS = 0.008


class Stream:
    """Transcribes audio while it comes in.

    >>> stream = hitscribe.Stream(sample_rate=48000)
    >>> for block in blocks:
    ...     stream.push(block)
    ...     for note in stream.notes():
    ...         print(note.onset, note.drum_class)
    >>> stream.finish()
    >>> last_notes = stream.notes()

    Parameters
    ----------
    sample_rate
        Rate of the samples in Hz, 4,000 to 768,000.
    source
        ``"drums"``, or ``"mix"`` for pitched notes too; see `Transcriber`. The built-in models
        distinguish drums and pitched notes, not single drums, in a stream.
    sensitivity
        From 0 (only the surest notes) to 1 (every candidate).
    hop
        Seconds between two runs of the model; 0.064 by default, at least 0.032. A longer time means
        more `latency` and less computing.
    transcriber
        A loaded model; the built-in ones by default.

    The methods may be called from any thread.
    """

    def __init__(
        self,
        sample_rate: int = 48_000,
        source: str = "drums",
        sensitivity: float = 0.5,
        hop: Optional[float] = None,
        transcriber: Optional[Transcriber] = None,
    ) -> None:
        transcriber = transcriber or Transcriber()
        frames = None if hop is None else round(hop / _FRAME_SECONDS)
        request = (source, sensitivity, "off")
        self._session = transcriber._native.session(sample_rate, request, frames)
        self.sample_rate = sample_rate

    @property
    def latency(self) -> float:
        """Seconds after an onset that must be pushed before its note is certain to be there."""
        return self._session.latency_samples / self.sample_rate

    def push(self, block: "ArrayLike") -> None:
        """Takes the next samples, shape ``(n,)`` or ``(channels, n)``, of any length.

        The channels are averaged. Transcribes as far as the model's look-ahead allows.
        """
        import numpy

        block = numpy.asarray(block)
        if block.ndim == 2 and block.shape[0] <= 32:
            block = block.mean(axis=0)
        samples, _ = interleaved(block)
        self._session.push(samples)

    def notes(self) -> List[Note]:
        """The notes that have become complete since the last call, in seconds of the stream.

        Drum hits come up to 28 ms out of order, pitched notes when they end.
        """
        return [Note(*fields) for fields in self._session.take_notes()]

    def finish(self) -> None:
        """Ends the stream; `notes` then has the last ones. What is pushed later is ignored."""
        self._session.finish()
