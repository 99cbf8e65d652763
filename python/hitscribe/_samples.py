"""Samples in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def interleaved(samples: "ArrayLike") -> Tuple[bytes, int]:
    """Interleaved float32 samples, and the number of channels.

    ``samples`` is of shape ``(n,)`` or ``(channels, n)``. Integers are scaled to full scale at 1.
    """
    import numpy

    array = numpy.asarray(samples)
    if array.ndim not in (1, 2):
        raise ValueError(f"samples of shape {array.shape}: must be (n,) or (channels, n)")
    if array.ndim == 2 and array.shape[0] > array.shape[1] > 0:
        raise ValueError(
            f"samples of shape {array.shape}: channels come first; transpose (n, channels)"
        )
    if array.dtype.kind == "i":
        array = array.astype(numpy.float32) / -float(numpy.iinfo(array.dtype).min)
    elif array.dtype.kind != "f":
        raise ValueError(f"samples of type {array.dtype}: must be floating-point or signed integers")
    channels = 1 if array.ndim == 1 else array.shape[0]
    return numpy.asarray(array.T, dtype=numpy.float32).tobytes(), channels
