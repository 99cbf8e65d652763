"""The command ``hitscribe``, which is the same program as the one that Cargo installs."""

import signal
import sys

from hitscribe import _native


def main() -> None:
    """Runs the command with the arguments of the process, and exits with its exit code."""
    # Python's handler would run only after the command has returned.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.main(["hitscribe", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
