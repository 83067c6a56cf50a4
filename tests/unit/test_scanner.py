"""The leak scanner finds tokens; otherwise a passing test suite would prove nothing."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest
from support.programs import SAID, Result
from support.traces import has_token, leaks_in_files, leaks_in_output

from codeartifact_pipenv.sandbox.tokens import _make

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = _make(time.time(), time.time() + 900)
HEADER = base64.b64encode(f"aws:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TOKEN, True),
        (f"x{TOKEN}y", True),
        (TOKEN[:400], True),
        (f"https://aws:{TOKEN}@host/", True),
        (f"a {HEADER} b", True),
        (TOKEN[:100], False),
        (TOKEN[20:], False),
        ("${CODEARTIFACT_AUTH_TOKEN}", False),
    ],
    ids=["whole", "inside", "cut", "in a URL", "encoded", "its beginning", "its end", "variable"],
)
def test_scanner_finds_a_usable_token_whole_cut_embedded_or_encoded(text: str, found: bool) -> None:
    assert has_token(text.encode()) is found


@pytest.mark.parametrize(
    ("words", "stdout", "stderr", "leaks"),
    [
        ("pipenv-ca lock", TOKEN, "", True),
        ("pipenv-ca lock", "", "\n".join((TOKEN[:500], TOKEN[500:])), True),
        ("pipenv-ca token", "", TOKEN, True),
        ("pipenv-ca --ca-profile dev env --shell sh", TOKEN, "", False),
        ("keyring get https://host/ aws", TOKEN, "", False),
        ("pipenv-ca run pip install token", TOKEN, "", True),
    ],
)
def test_only_commands_that_print_tokens_may_do_so_on_stdout(
    words: str, stdout: str, stderr: str, leaks: bool
) -> None:
    SAID[:] = [(words, Result(0, stdout, stderr))]
    found = list(leaks_in_output())
    SAID.clear()
    assert bool(found) is leaks


@pytest.mark.shows_token("files")
@pytest.mark.parametrize(
    ("name", "mode", "leaks"),
    [
        ("0123456789abcdef.json", 0o600, False),
        ("0123456789abcdef.json", 0o644, True),
        (".pypirc", 0o600, False),
        (".pypirc", 0o640, True),
        ("Pipfile.lock", 0o600, True),
        ("request-1", 0o600, True),
    ],
)
def test_only_private_cache_and_login_files_may_hold_a_token(
    name: str, mode: int, leaks: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(HEADER)
    (tmp_path / name).chmod(mode)
    assert bool(list(leaks_in_files(tmp_path))) is leaks
