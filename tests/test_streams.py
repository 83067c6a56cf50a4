"""Standard output and error that are closed, full, or left by their reader."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA
from support.projects import source, write_pipfile

from codeartifact_pipenv.endpoint import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ends = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="closed descriptors are a POSIX matter")
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full does not exist")
HOST = "acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com"
ENDPOINT = parse_url(f"https://{HOST}/pypi/main/simple/")
# A token whose header says nothing, so that it does not end.
TOKEN = "e30.unread"
SOME = ("lint", "token", "--ca-version")
MORE = (
    *("lint --json", "fix", "env", "login pip --dry-run", "logout"),
    *("packages --help", "--ca-help", "doctor --offline", "completion"),
)
COMPLETION = {"_PIPENV_CA_COMPLETE": "bash_complete", "COMP_WORDS": "pipenv-ca --ca-"}
WIDE = pytest.mark.wide
each = pytest.mark.parametrize("verb", [*SOME, *(pytest.param(v, marks=WIDE) for v in MORE)])
FAULTS = ("at fault", "Traceback", "Exception ignored", "Broken pipe")


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    """Return a function that runs a verb with a redirection; it returns status and stderr."""
    assert ENDPOINT is not None
    write_pipfile(tmp_path, source(ENDPOINT), '[packages]\nsix = "latest"\n')
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "CODEARTIFACT_AUTH_TOKEN": TOKEN}

    def ended(
        verb: str, redirection: str = "", stdout: int = subprocess.DEVNULL, **more: str
    ) -> tuple[int, str]:
        words = [] if verb == "completion" else verb.split()
        done = subprocess.run(
            ["/bin/bash", "-c", f'"$@" {redirection}', "bash", PIPENV_CA, *words],
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
        return done.returncode, done.stderr

    return ended


@each
@pytest.mark.parametrize(
    ("redirection", "reason"),
    [
        pytest.param(">/dev/full", "No space left on device.", marks=full),
        (">&-", "it is closed."),
    ],
)
def test_full_or_closed_stdout_is_one_error(
    verb: str, redirection: str, reason: str, ends: Ends
) -> None:
    environ = (
        {"PYTHONUNBUFFERED": "1"} if verb in SOME else {}
    )  # an error of each write, or at the end
    status, said = ends(verb, redirection, **environ)
    sentence = f"error: Standard output cannot be written: {reason}"
    assert (status, said.count(sentence)) == (1, 1)


@WIDE
@each
def test_reader_that_has_left_is_not_an_error(verb: str, ends: Ends) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status, said = ends(verb, stdout=writer)
    finally:
        os.close(writer)
    assert "error" not in said
    assert status == ends(verb)[0]


@WIDE
@pytest.mark.parametrize("redirection", ["2>&-", "2>&- <&-", "2>/dev/full"])
@pytest.mark.parametrize("verb", SOME)
def test_missing_stderr_does_not_stop_the_work(verb: str, redirection: str, ends: Ends) -> None:
    assert ends(verb, redirection)[0] == ends(verb)[0]


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_error_without_stderr_keeps_its_exit_status(redirection: str, ends: Ends) -> None:
    assert ends("lint --wrong", redirection)[0] == 2


def test_no_file_takes_the_descriptor_of_a_closed_stream(tmp_path: Path, ends: Ends) -> None:
    pipenv = tmp_path / "pipenv"
    pipenv.write_text("#!/bin/sh\necho from the child\necho from the child >&2\n")
    pipenv.chmod(0o755)
    assert ends(f"--ca-pipenv {pipenv} lock", "<&- >&- 2>&-")[0] == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != pipenv]
    assert files
    assert not any(b"from the child" in path.read_bytes() for path in files)
