"""Which file pip did not get, by what it says; and the wait for it."""

from __future__ import annotations

import os
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import RepositoryEndpoint, parse_url
from codeartifact_pipenv.lookups.index_client import IndexClient
from codeartifact_pipenv.processes.child import Interrupted
from codeartifact_pipenv.wrapper import absent_files
from codeartifact_pipenv.wrapper.absent_files import AbsentFile, absent_file, wait_for

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
REPOSITORY = f"https://{HOST}/pypi/team/"
PAGE = f"{REPOSITORY}simple/orb-tools/"
NAME = "orb_tools-1.0-py3-none-any.whl"
URL = f"{PAGE}1.0/{NAME}"


def endpoint(url: str = f"{REPOSITORY}simple/") -> RepositoryEndpoint:
    found = parse_url(url)
    assert found is not None
    return found


TEAM = endpoint()
OTHER = endpoint(f"https://{HOST}/pypi/other/simple/")
FOUND = AbsentFile(TEAM, "orb-tools", NAME, URL)


def said(url: str = URL, page: str = PAGE, status: int = 404) -> str:
    return (
        f"Collecting orb-tools==1.0\nERROR: HTTP error {status} while getting {url} (from {page})\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        said(),
        said(f"{URL}#sha256={'0' * 64}"),
        said(URL.replace("://", "://aws:****@"), PAGE.replace("://", "://aws:****@")),
        said() + "(requires-python:>=3.8)\nmore\n" * 100,
        said().replace("(from", "(from\n"),
        said("https://pypi.org/x/simple/a/1/a.whl", "https://pypi.org/simple/a/") + said(),
        f"2026-11-28T14:06:16,362 {said()}2026-11-28T14:06:16,362 Exception information:\n",
        f"[pipenv.exceptions.InstallError]: {said()}",
        said().replace("ERROR: ", "\x1b[31mERROR: \x1b[0m").replace("404", "\x1b[1m404\x1b[0m"),
    ],
)
def test_said(text: str) -> None:
    """It is found in what pip and pipenv say, in every form."""
    assert absent_file(text, [OTHER, TEAM]) == FOUND


def test_name_of_the_file() -> None:
    """A name that is quoted in the URL is told as the page has it."""
    found = absent_file(said(f"{PAGE}1.0%2Ba/orb_tools-1.0%2Ba.tar.gz"), [TEAM])
    assert found is not None
    assert found.filename == "orb_tools-1.0+a.tar.gz"


@pytest.mark.parametrize(
    "text",
    [
        "",
        said(status=403),
        said(status=500),
        said(f"https://evil.example/{URL.removeprefix('https://')}"),
        said(URL.replace(HOST, f"{HOST}.evil.example")),
        said(URL.replace(HOST, f"{HOST}@evil.example")),
        said(URL.replace("/team/", "/lab/"), PAGE.replace("/team/", "/lab/")),
        said(page="https://evil.example/simple/orb-tools/"),
        said(URL.replace("https", "http")),
        said(PAGE),
        said(f"{URL}/more"),
        # A URL that stands in the Pipfile or the lock is on no page.
        f"ERROR: HTTP error 404 while getting {URL}\n",
        f"ERROR: 404 Client Error: Not Found for url: {URL}\n",
    ],
)
def test_not_said(text: str) -> None:
    """What is said of something else is not taken for it."""
    assert absent_file(text, [OTHER, TEAM]) is None


@given(st.integers(20, 200), st.booleans())
def test_width(width: int, words: bool) -> None:
    """However wide a terminal pipenv takes it for, and however it breaks the lines."""
    line = said().splitlines()[1]
    if words:  # as rich does: at blanks, and within words that are too long
        text = "\n".join(
            part[at : at + width]
            for part in re.findall(r"\S+\s*", line)
            for at in range(0, len(part), width)
        )
    else:
        text = "\n".join(line[at : at + width] for at in range(0, len(line), width))
    assert absent_file(text, [TEAM]) == FOUND


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is read."""
    assert absent_file(text, [TEAM]) is None
    assert absent_file(f"{text}\n{said()}", [TEAM]) == FOUND


def test_long_texts() -> None:
    """A text that begins in vain very often is read in no time."""
    begin = time.process_time()
    for part in (
        "HTTP error 404 while getting https://",
        "404 while getting https://a (from ",
        "@" * 9,
    ):
        assert absent_file(part * (300_000 // len(part)), [TEAM]) is None
    assert time.process_time() - begin < 2


class Statuses:
    """Answers of a repository for a file, one after the other; the last one stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *statuses: int | None) -> None:
        self.left = list(statuses)
        self.asked: list[tuple[str, str]] = []
        monkeypatch.setattr(
            IndexClient, "ask_file", lambda _, url, at, token: self.ask(url, at, token)
        )
        monkeypatch.setattr(absent_files, "WAIT_SECONDS", 1.5)

    def ask(self, url: str, at: RepositoryEndpoint, token: str) -> int | None:
        self.asked.append((url, token))
        assert at == TEAM
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.mark.parametrize("statuses", [(200,), (404, 404, 200), (404, None, 403), (404, 302)])
def test_until_it_is_there(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[int | None, ...]
) -> None:
    """The wait ends as soon as the repository answers with anything else than 404."""
    repository = Statuses(monkeypatch, *statuses)
    begin = time.monotonic()
    wait_for(FOUND, "token", {}, lambda: None)
    assert time.monotonic() - begin < 1.4
    assert repository.asked == [(URL, "token")] * len(statuses)


@pytest.mark.wide
@pytest.mark.parametrize("status", [404, None])
def test_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch, status: int | None) -> None:
    """A file that stays away is not waited for longer than some seconds."""
    repository = Statuses(monkeypatch, status)
    begin = time.monotonic()
    wait_for(FOUND, "token", {}, lambda: None)
    assert 1.4 < time.monotonic() - begin < 3
    asked = len(repository.asked)
    time.sleep(0.6)
    assert len(repository.asked) == asked


def test_signal_during_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check raises ends the wait, also where the file is there."""
    for status in (404, 200):
        Statuses(monkeypatch, status)

        def check() -> None:
            raise Interrupted(2)

        begin = time.monotonic()
        with pytest.raises(Interrupted):
            wait_for(FOUND, "token", {}, check)
        assert time.monotonic() - begin < 1


def test_token_goes_nowhere_else() -> None:
    """A file of another host or repository is not asked for."""
    asker = IndexClient(os.environ, 0.1)
    for url in (URL.replace("/team/", "/lab/"), "https://evil.example/x", f"{REPOSITORY}x".upper()):
        assert asker.ask_file(url, TEAM, "token") is None
