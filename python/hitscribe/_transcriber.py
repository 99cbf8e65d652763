"""A loaded model, and how it transcribes recordings."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Deque,
    Iterable,
    Iterator,
    NamedTuple,
    Optional,
    Union,
)

from hitscribe import _native
from hitscribe._progress import Progress
from hitscribe._samples import interleaved
from hitscribe._song import Note, Path, Song

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_log = logging.getLogger("hitscribe")

#: Name of the models that come with the package.
BUILT_IN = "built-in"


class Result(NamedTuple):
    """The outcome of one file of `Transcriber.transcribe_many`."""

    path: Path
    """The file, as it was given."""
    song: Optional[Song]
    """Its transcription; None if it failed."""
    error: Optional[Exception]
    """Why it failed."""


class _Stopped(Exception):
    """Ends a transcription whose result nobody waits for."""


class Transcriber:
    """A loaded model with options.

    Loading the built-in models takes a fraction of a second, a checkpoint seconds: keep the object.
    It may be used from several threads at once. Every recording begins afresh, and the same audio
    gives the same notes.

    Parameters
    ----------
    source
        What recordings contain; nothing else is transcribed: ``"mix"``, ``"drums"``, ``"kick"``,
        ``"bass"``, ``"keys"``, ``"guitar"``, ``"strings"``, ``"brass"``, ``"reed"``, ``"pipe"``,
        ``"synth"``, ``"voice"``, ``"programs:0-7"`` or ``"drums:36,38"`` (General MIDI numbers), or
        several joined by ``+``. None transcribes everything, and leaves pitched notes out where
        hardly any is certain.
    sensitivity
        From 0 (only the surest notes) to 1 (every candidate).
    model
        ``"built-in"``, the path of a checkpoint of MT3, MR-MT3 or YourMT3, the name of one in the
        model store, or ``"auto"`` to choose by the content of each recording.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda:0"``. The wheels on PyPI compute on the CPU.
    leakage
        Filter for drum hits that were transcribed as pitched notes: ``"off"``, ``"auto"``,
        ``"smart"``, ``"pitch"``, ``"confidence"``, ``"drums-only"`` or ``"remap-chromatic"``.

    Raises `ModelError` or ``OSError`` for a model that cannot be loaded, `DeviceError` if a device
    that was asked for does not work, ``ValueError`` for other options that are not valid.
    """

    def __init__(
        self,
        source: Optional[str] = None,
        sensitivity: float = 0.5,
        model: Path = BUILT_IN,
        device: str = "auto",
        leakage: str = "off",
    ) -> None:
        name = None if model == BUILT_IN else os.fspath(model)
        self._native = _builtin(device) if name is None else _native.Transcriber(name, device)
        self._request = (source, sensitivity, leakage)
        self._native.check(self._request)
        if self._native.fallback_reason:
            _log.warning("the GPU failed (%s); continuing on the CPU", self._native.fallback_reason)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._native.model_name

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._native.device

    def transcribe(
        self,
        audio: "Union[Path, ArrayLike]",
        sample_rate: Optional[int] = None,
        progress: Optional[Callable[[float, Optional[float]], object]] = None,
    ) -> Song:
        """Transcribes a recording.

        Parameters
        ----------
        audio
            The path of an audio file (see `hitscribe.AUDIO_EXTENSIONS`), which is read in blocks; or
            samples of shape ``(n,)`` or ``(channels, n)``, float32 with full scale at 1.
        sample_rate
            Rate of the samples in Hz, 4,000 to 768,000. Not for files.
        progress
            Called about ten times a second, on this thread, with the seconds of audio that are done
            and the length of the recording (None if it is not known). An exception that it raises
            stops the transcription.

        Raises ``OSError`` and `AudioError` for a file that cannot be read, `DeviceError` if a GPU
        that was asked for by number fails, ``ValueError`` for samples of another shape or rate.
        """
        if isinstance(audio, (str, os.PathLike)):
            if sample_rate is not None:
                raise ValueError("sample_rate: a file has its own")
            found = self._native.file(audio, self._request, progress)
        else:
            if sample_rate is None:
                raise ValueError("sample_rate: samples need one")
            samples, channels = interleaved(audio)
            found = self._native.samples(samples, channels, sample_rate, self._request, progress)
        return _song(found)

    def transcribe_many(
        self, paths: Iterable[Path], jobs: int = 1, progress: bool = False
    ) -> Iterator[Result]:
        """Transcribes files on several threads, and yields a `Result` for each, in their order.

        A file that cannot be transcribed gives a result with its error and does not stop the others.
        Memory is bounded: at most two results per thread wait to be taken. Results that are not
        taken are not computed.

        Parameters
        ----------
        paths
            Audio files.
        jobs
            Number of threads; one for each core that is free.
        progress
            Whether to show files, hours of audio, speed and time left on standard error.
        """
        if jobs < 1:
            raise ValueError(f"jobs {jobs}: must be at least 1")
        return self._results(list(paths), jobs, progress)

    def _results(self, paths: "list[Path]", jobs: int, progress: bool) -> Iterator[Result]:
        stopped = threading.Event()

        def stop(_done: float, _length: Optional[float]) -> None:
            if stopped.is_set():
                raise _Stopped

        def work(path: Path) -> Result:
            if stopped.is_set():
                raise _Stopped
            try:
                return Result(path, self.transcribe(path, progress=stop), None)
            except _Stopped:
                raise
            except Exception as error:
                return Result(path, None, error)

        counter = Progress(len(paths), progress)
        waiting: "Deque[Future[Result]]" = deque()
        remaining = iter(paths)
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="hitscribe")
        try:
            for path in remaining:
                waiting.append(pool.submit(work, path))
                if len(waiting) >= 3 * jobs:
                    yield _counted(counter, waiting.popleft().result())
            while waiting:
                yield _counted(counter, waiting.popleft().result())
        finally:
            # Also if the caller takes no more results, and after Ctrl-C.
            stopped.set()
            pool.shutdown(wait=True)
            counter.close()


def _counted(counter: Progress, result: Result) -> Result:
    counter.add(result.song.duration if result.song else 0.0, failed=result.song is None)
    return result


def transcribe(
    audio: "Union[Path, ArrayLike]", sample_rate: Optional[int] = None, **options: Any
) -> Song:
    """Transcribes a recording with the built-in models.

    ``audio`` is the path of an audio file, or samples of shape ``(n,)`` or ``(channels, n)`` with
    their ``sample_rate`` in Hz. ``options`` are those of `Transcriber`: ``source``,
    ``sensitivity``, ``model``, ``device``, ``leakage``. See `Transcriber.transcribe`.
    """
    return Transcriber(**options).transcribe(audio, sample_rate)


@functools.lru_cache(maxsize=None)
def _builtin(device: str) -> _native.Transcriber:
    """The built-in models, loaded once for each device."""
    return _native.Transcriber(None, device)


def _song(found: "dict[str, Any]") -> Song:
    for notice in found.pop("notices"):
        _log.info("%s", notice)
    found["notes"] = [Note(*fields) for fields in found["notes"]]
    return Song(**found)
