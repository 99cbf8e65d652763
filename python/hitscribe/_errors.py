"""Exceptions. Their messages name the file, what is wrong and, where known, what to do.

Files that cannot be opened or written raise ``OSError``, settings that are out of range
``ValueError``.
"""


class HitscribeError(Exception):
    """Base class of the exceptions of this package."""


class AudioError(HitscribeError):
    """A file is not in a supported audio format, or is damaged."""


class ModelError(HitscribeError):
    """A model does not exist, is damaged, or is not of a supported family."""


class DeviceError(HitscribeError):
    """The device that was asked for cannot be used."""
