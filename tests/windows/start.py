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
    # The program has ctrl-C and ctrl-break from the console, and answers them.
    for number in (signal.SIGINT, signal.SIGBREAK):  # type: ignore[attr-defined,unused-ignore]
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(job["words"], cwd=job["folder"])
    Path(job["record"]).write_text(str(child.pid), encoding="utf-8")
    while True:
        try:
            sys.exit(child.wait(1))
        except subprocess.TimeoutExpired:
            pass


if __name__ == "__main__":
    main()
