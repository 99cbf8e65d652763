"""``python -m hitscribe``: the command."""

from hitscribe._command import main

main()
