"""Transcribes drums and pitched instruments: audio in, notes out.

>>> import hitscribe
>>> song = hitscribe.transcribe("drums.wav")
>>> song.notes[0]
Note(onset=0.0, offset=0.05, pitch=36, velocity=101, drum=True, program=0, confidence=0.99, openness=None)
>>> song.to_midi("drums.mid")

Times are in seconds from the start of the recording, pitches are MIDI numbers, samples are float32
with full scale at 1, of shape ``(n,)`` or ``(channels, n)`` as in librosa.

A `Transcriber` holds a loaded model and the options; `transcribe` uses one with the built-in models.
`Stream` transcribes audio while it comes in. Functions release the GIL while they compute, and can
be interrupted with Ctrl-C.
"""

from hitscribe._errors import AudioError, DeviceError, HitscribeError, ModelError
from hitscribe._metrics import evaluate
from hitscribe._native import AUDIO_EXTENSIONS as _AUDIO_EXTENSIONS
from hitscribe._native import VERSION as __version__
from hitscribe._song import Beats, Note, Song
from hitscribe._stream import Stream
from hitscribe._transcriber import Result, Transcriber, transcribe

#: Extensions of the audio files that can be read, lower case, without the dot.
AUDIO_EXTENSIONS = tuple(_AUDIO_EXTENSIONS)

__all__ = [
    "AUDIO_EXTENSIONS",
    "AudioError",
    "Beats",
    "DeviceError",
    "HitscribeError",
    "ModelError",
    "Note",
    "Result",
    "Song",
    "Stream",
    "Transcriber",
    "__version__",
    "evaluate",
    "transcribe",
]
