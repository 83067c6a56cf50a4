"""The scanner for tokens in arguments, environments, output and files.

tests/conftest.py runs it after every test; tests of leaks use it, too.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from support.programs import SAID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.programs import Result
    from typing_extensions import Self

# How a token of CodeArtifact begins, and how it begins in a Basic header: no other text does, so
# no list of issued tokens is needed. The length is that of a quarter of a token.
_BEGINS = base64.b64encode(b'{"ver":1,"isu":').rstrip(b"=")
_IN_HEADER = base64.b64encode(b"aws:" + _BEGINS)[:32]
_ANY = re.compile(
    b"%s[A-Za-z0-9_.-]{300,}|%s[A-Za-z0-9+/=]{300,}" % (re.escape(_BEGINS), re.escape(_IN_HEADER))
)
# Commands that print a token on stdout.
_PRINTS_TOKEN = re.compile(
    r"(pipenv-ca|codeartifact_pipenv|codeartifact-pipenv|\$0\")( --\S+( [^-]\S*)?)* (token|env)\b"
    r"|\bkeyring .*\bget\b|get-authorization-token|\bsandbox run .* (token|env|get)\b"
)
# Files that may hold a token, if only their owner can read them.
_CACHE_FILE = re.compile(r"[0-9a-f]{16,}\.json|\.pypirc|\.?netrc|pip\.conf")
# Files that tests write: the record of a stand-in, and files of the corpus with a token.
_IS_TESTS_OWN = re.compile(
    r"/record\.json$|/literal_token[^/]*/Pipfile$|/lock_with_token/Pipfile\.lock$"
)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every regular file below a folder."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory) / name
            if path.is_file() and not path.is_symlink():
                yield path


def files_with(secret: str, folders: Iterable[Path]) -> list[Path]:
    """Return the files below some folders that hold a secret."""
    needle = secret.encode()
    return [
        path for folder in folders for path in files_below(folder) if needle in path.read_bytes()
    ]


def has_token(data: bytes) -> bool:
    """Whether data holds a token of the sandbox, whole or as part of a header."""
    # Virtual environments are large: the plain search spares most of them the pattern.
    return (_BEGINS in data or _IN_HEADER in data) and bool(_ANY.search(data))


def leaks_in_output() -> Iterator[str]:
    """Yield the words of programs that showed a token since ``SAID`` was last cleared."""
    for words, result in SAID:
        shown = result.stderr if _PRINTS_TOKEN.search(words) else result.output
        if has_token("".join(shown.split()).encode()):  # lines may have been wrapped
            yield words


def leaks_in_files(folder: Path) -> Iterator[str]:
    """Yield the paths of files below a folder that hold a token and may not."""
    for path in files_below(folder):
        with contextlib.suppress(OSError):
            if has_token(path.read_bytes()) and not _may_hold(path):
                yield str(path)


def _may_hold(path: Path) -> bool:
    is_private = path.stat().st_mode & 0o777 == 0o600
    if _CACHE_FILE.fullmatch(path.name):
        return is_private
    return _IS_TESTS_OWN.search(str(path)) is not None


class ProcessWatch:
    """Looks at the machine's processes while a block runs, with a pause of some seconds."""

    def __init__(self, pause: float = 0.005) -> None:
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._pause):
            self.look()

    def look(self) -> None:
        """Look at every process once."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                self.see(entry)

    def see(self, process: Path) -> None:
        """Look at one process, by its folder in /proc.

        Raises:
            OSError: it has ended meanwhile.
        """
        raise NotImplementedError


class CommandLines(ProcessWatch):
    """Collects the command lines of all processes while a block runs."""

    def __init__(self, pause: float = 0.005) -> None:
        super().__init__(pause)
        self._seen: set[bytes] = set()

    def see(self, process: Path) -> None:
        """Keep its command line."""
        self._seen.add((process / "cmdline").read_bytes())

    def holding(self, secret: str) -> set[bytes]:
        """Return the command lines that held a secret, without it."""
        needle = secret.encode()
        return {line.replace(needle, b"TOKEN") for line in self._seen if needle in line}


def assert_not_shown(token: str, result: Result) -> None:
    """Check that a program did not show a token, or its form in a header."""
    said = "".join(result.output.split())  # lines may have been wrapped
    assert token[:60] not in said
    assert base64.b64encode(f"aws:{token}".encode()).decode()[:60] not in said


def assert_no_secrets(token: str, *folders: Path) -> None:
    """Check that no file in some folders holds a token, or its form in a header."""
    header = base64.b64encode(f"aws:{token}".encode()).decode()[:-4]
    assert files_with(token, folders) == []
    assert files_with(header, folders) == []
