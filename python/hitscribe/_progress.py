"""Progress of a batch, in one line on standard error."""

from __future__ import annotations

import sys
import time


def duration(seconds: float) -> str:
    """Seconds as hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


class Progress:
    """Counts files and hours of audio. On a terminal the line is redrawn, elsewhere written anew
    every half minute."""

    def __init__(self, total: int, show: bool) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.audio_seconds = 0.0
        self._started = time.monotonic()
        self._written = self._started
        self._show = show
        self._is_terminal = sys.stderr.isatty()

    def line(self) -> str:
        """Files, hours of audio, speed and time left."""
        elapsed = max(time.monotonic() - self._started, 1e-3)
        left = elapsed / max(self.done, 1) * (self.total - self.done)
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"{self.done} of {self.total} files{failed}, {self.audio_seconds / 3600:.2f} h of audio, "
            f"{self.audio_seconds / elapsed:.1f}x real time, {duration(left)} left"
        )

    def add(self, audio_seconds: float, failed: bool = False) -> None:
        """Counts a file."""
        self.done += 1
        self.failed += failed
        self.audio_seconds += audio_seconds
        now = time.monotonic()
        interval = 0.2 if self._is_terminal else 30.0
        if self._show and (now - self._written >= interval or self.done == self.total):
            self._written = now
            self._write("\r\x1b[K" + self.line() if self._is_terminal else self.line() + "\n")

    def close(self) -> None:
        """Ends the line."""
        if self._show and self._is_terminal:
            self._write("\n")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
