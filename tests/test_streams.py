"""Standard output and error that are closed, full, or left by their reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="closed descriptors are a POSIX matter")

PROGRAM = str(Path(sys.executable).parent / "pipenv-ca")
HOST = "acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com"
URL = f"https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{HOST}/pypi/main/simple/"
PIPFILE = f"""\
[[source]]
name = "codeartifact"
url = "{URL}"
verify_ssl = true

[packages]
six = "latest"
"""
# A token whose header says nothing, so that it does not end.
TOKEN = "e30.unread"
WORDS = {
    "lint": ["lint"],
    "lint as JSON": ["lint", "--json"],
    "fix": ["fix"],
    "token": ["token"],
    "variables": ["env"],
    "login": ["login", "pip", "--dry-run"],
    "logout": ["logout"],
    "a verb's help": ["packages", "--help"],
    "our help": ["--ca-help"],
    "our version": ["--ca-version"],
    "doctor": ["doctor", "--offline"],
    "completion": [],
}
COMPLETION = {"_PIPENV_CA_COMPLETE": "bash_complete", "COMP_WORDS": "pipenv-ca --ca-"}


SOME = ["lint", "token", "our version"]
FAULTS = ("at fault", "Traceback", "Exception ignored", "Broken pipe")


class Ended(NamedTuple):
    """What became of a process."""

    status: int
    said: str


@pytest.fixture
def ends(tmp_path: Path) -> Callable[..., Ended]:
    """Run a verb in a project, with a redirection of the shell's or another stdout."""
    (tmp_path / "Pipfile").write_text(PIPFILE)
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "CODEARTIFACT_AUTH_TOKEN": TOKEN}

    def ended(
        verb: str, redirection: str = "", stdout: int = subprocess.DEVNULL, **more: str
    ) -> Ended:
        words = WORDS.get(verb, verb.split())
        done = subprocess.run(
            ["/bin/bash", "-c", f'"$@" {redirection}', "bash", PROGRAM, *words],
            env=environ | (COMPLETION if verb == "completion" else {}) | more,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        assert not any(fault in done.stderr for fault in FAULTS)
        return Ended(done.returncode, done.stderr)

    return ended


@pytest.mark.wide
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("verb", WORDS)
def test_full(verb: str, ends: Callable[..., Ended]) -> None:
    """A full disk is told in one sentence, and fails."""
    ended = ends(verb, ">/dev/full")
    sentence = "error: Standard output cannot be written: No space left on device."
    assert (ended.status, ended.said.count(sentence)) == (1, 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("verb", SOME)
def test_full_without_buffers(verb: str, ends: Callable[..., Ended]) -> None:
    """So it is in CI, where Python is often told not to buffer."""
    ended = ends(verb, ">/dev/full", PYTHONUNBUFFERED="1", PYTHONIOENCODING="ascii")
    assert (ended.status, ended.said.count("No space left on device.")) == (1, 1)


@pytest.mark.parametrize("verb", SOME)
def test_closed(verb: str, ends: Callable[..., Ended]) -> None:
    """A closed stdout is told in one sentence, and fails."""
    ended = ends(verb, ">&-")
    assert (ended.status, ended.said.count("cannot be written: it is closed.")) == (1, 1)


@pytest.mark.wide
@pytest.mark.parametrize("verb", WORDS)
def test_left(verb: str, ends: Callable[..., Ended]) -> None:
    """A reader that has left before the first word is no reason to complain, or to fail."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = ends(verb, stdout=writer)
    finally:
        os.close(writer)
    assert "error" not in ended.said
    assert ended.status == ends(verb).status


@pytest.mark.wide
@pytest.mark.parametrize("redirection", ["2>&-", "2>&- <&-", "2>/dev/full"])
@pytest.mark.parametrize("verb", SOME)
def test_stderr(verb: str, redirection: str, ends: Callable[..., Ended]) -> None:
    """Without a place for messages the work is done all the same."""
    assert ends(verb, redirection).status == ends(verb).status


def test_refused_without_stderr(ends: Callable[..., Ended]) -> None:
    """An error that nobody can be told still has its exit status."""
    assert [ends("lint --wrong", r).status for r in ("2>&-", "2>/dev/full", ">&- 2>&-")] == [
        2,
        2,
        2,
    ]


def test_files_keep_out_of_closed_streams(tmp_path: Path, ends: Callable[..., Ended]) -> None:
    """Where a stream is closed, none of our files takes what a child prints there."""
    pipenv = tmp_path / "pipenv"
    pipenv.write_text("#!/bin/sh\necho from the child\necho from the child >&2\n")
    pipenv.chmod(0o755)
    assert ends(f"--ca-pipenv {pipenv} lock", "<&- >&- 2>&-").status == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != pipenv]
    assert files
    assert not any(b"from the child" in path.read_bytes() for path in files)
