"""Runs a program on Windows with an environment and in a folder, and ends with its status.

Wine sets the variables of the user's profile itself, whatever it is started with.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Read how to run it from a file of JSON, and run it."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ.update(job["environ"])
    # (The program has ctrl-C from the console, as this one has.)
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(subprocess.call(job["words"], cwd=job["folder"]))


if __name__ == "__main__":
    main()
