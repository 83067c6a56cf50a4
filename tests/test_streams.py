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
    """The result of a process."""

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
def test_full_stdout_is_one_error(verb: str, ends: Callable[..., Ended]) -> None:
    ended = ends(verb, ">/dev/full")
    sentence = "error: Standard output cannot be written: No space left on device."
    assert (ended.status, ended.said.count(sentence)) == (1, 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("verb", SOME)
def test_full_stdout_without_buffers_is_one_error(verb: str, ends: Callable[..., Ended]) -> None:
    ended = ends(verb, ">/dev/full", PYTHONUNBUFFERED="1", PYTHONIOENCODING="ascii")
    assert (ended.status, ended.said.count("No space left on device.")) == (1, 1)


@pytest.mark.parametrize("verb", SOME)
def test_closed_stdout_is_one_error(verb: str, ends: Callable[..., Ended]) -> None:
    ended = ends(verb, ">&-")
    assert (ended.status, ended.said.count("cannot be written: it is closed.")) == (1, 1)


@pytest.mark.wide
@pytest.mark.parametrize("verb", WORDS)
def test_reader_that_has_left_is_not_an_error(verb: str, ends: Callable[..., Ended]) -> None:
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
def test_missing_stderr_does_not_stop_the_work(
    verb: str, redirection: str, ends: Callable[..., Ended]
) -> None:
    assert ends(verb, redirection).status == ends(verb).status


def test_error_without_stderr_keeps_its_exit_status(ends: Callable[..., Ended]) -> None:
    assert [ends("lint --wrong", r).status for r in ("2>&-", "2>/dev/full", ">&- 2>&-")] == [
        2,
        2,
        2,
    ]


def test_no_file_takes_the_descriptor_of_a_closed_stream(
    tmp_path: Path, ends: Callable[..., Ended]
) -> None:
    pipenv = tmp_path / "pipenv"
    pipenv.write_text("#!/bin/sh\necho from the child\necho from the child >&2\n")
    pipenv.chmod(0o755)
    assert ends(f"--ca-pipenv {pipenv} lock", "<&- >&- 2>&-").status == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != pipenv]
    assert files
    assert not any(b"from the child" in path.read_bytes() for path in files)
