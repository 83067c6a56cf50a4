"""Start the pipenv in this program's environment if its script is missing.

``python -m pipenv`` would import modules from the working directory first, which is not trusted.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run pipenv; SystemExit carries its exit status."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if place != here]
    sys.argv[0] = "pipenv"
    from pipenv import cli

    sys.exit(cli())


if __name__ == "__main__":
    main()
