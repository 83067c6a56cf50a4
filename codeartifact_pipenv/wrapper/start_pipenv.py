"""Starts the pipenv of this program's environment where no script of its own is at hand.

(``python -m pipenv`` would take pipenv, and any module that it imports, from the current folder
first of all, and that may be anybody's project.)
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Go on as pipenv; SystemExit carries its exit status."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if place != here]
    sys.argv[0] = "pipenv"
    from pipenv import cli

    sys.exit(cli())


if __name__ == "__main__":
    main()
