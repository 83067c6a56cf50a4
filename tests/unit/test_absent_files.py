"""Find in pip's output the file that it could not download, and wait for that file."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
from codeartifact_pipenv.lookups.index_client import IndexClient
from codeartifact_pipenv.wrapper import absent_files
from codeartifact_pipenv.wrapper.absent_files import AbsentFile, absent_file, wait_for

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
REPOSITORY = f"https://{HOST}/pypi/team/"
PAGE = f"{REPOSITORY}simple/orb-tools/"
NAME = "orb_tools-1.0-py3-none-any.whl"
URL = f"{PAGE}1.0/{NAME}"


TEAM, OTHER = (
    RepositoryEndpoint(Domain("my-dom", "123456789012", "eu-west-1"), name, "ipv4", HOST)
    for name in ("team", "other")
)


FOUND = AbsentFile(TEAM, "orb-tools", NAME, URL)


def pip_output(url: str = URL, page: str = PAGE, status: int = 404) -> str:
    failed = f"HTTP error {status} while getting {url} (from {page})"
    return f"Collecting orb-tools==1.0\nERROR: {failed}\n"


FORMS = [
    pip_output(f"{URL}#sha256={'0' * 64}"),
    pip_output(URL.replace("://", "://aws:****@"), PAGE.replace("://", "://aws:****@")),
    pip_output("https://x.example/a/1/a.whl", "https://x.example/simple/a/") + pip_output(),
    f"2026-11-28T14:06:16,362 {pip_output()}2026-11-28T14:06:16,362 Exception information:\n",
    pip_output().replace("ERROR:", "\x1b[31mERROR:\x1b[0m").replace("404", "\x1b[1m404\x1b[0m"),
]


@pytest.mark.parametrize("text", FORMS, ids=range(len(FORMS)))
def test_a_missing_file_is_found_in_every_form_of_output(text: str) -> None:
    assert absent_file(text, [OTHER, TEAM]) == FOUND
    quoted = absent_file(text.replace("1.0-py3-none-any.whl", "1.0%2Ba.tar.gz"), [TEAM])
    assert quoted is not None
    assert quoted.filename == "orb_tools-1.0+a.tar.gz"


OTHERS = [
    *(pip_output(status=403), pip_output(PAGE)),
    pip_output(f"https://evil.example/{URL.removeprefix('https://')}"),
    pip_output(URL.replace(HOST, f"{HOST}.evil.example")),
    pip_output(URL.replace(HOST, f"{HOST}@evil.example")),
    pip_output(URL.replace("/team/", "/lab/"), PAGE.replace("/team/", "/lab/")),
    pip_output(page="https://evil.example/simple/orb-tools/"),
    pip_output(URL.replace("https", "http")),
    pip_output(f"{URL}/more"),
    # A URL from the Pipfile or the lock comes without a page.
    f"ERROR: HTTP error 404 while getting {URL}\n",
    f"ERROR: 404 Client Error: Not Found for url: {URL}\n",
]


@pytest.mark.parametrize("text", OTHERS, ids=range(len(OTHERS)))
def test_other_errors_and_hosts_are_not_a_missing_file(text: str) -> None:
    assert absent_file(text, [OTHER, TEAM]) is None


@given(st.text(), st.integers(20, 200), st.booleans())
def test_a_missing_file_is_found_after_any_text_however_its_line_is_wrapped(
    before: str, width: int, words: bool
) -> None:
    line = pip_output().splitlines()[1]
    # rich wraps at blanks, and within long words
    parts = re.findall(r"\S+\s*", line) if words else [line]
    text = "\n".join(part[at : at + width] for part in parts for at in range(0, len(part), width))
    assert absent_file(before, [TEAM]) is None
    assert absent_file(f"{before}\n{text}", [TEAM]) == FOUND


def test_long_text_without_a_match_is_read_quickly() -> None:
    begin = time.process_time()
    for part in ("HTTP error 404 while getting https://", "404 while getting https://a (from "):
        assert absent_file(part * (300_000 // len(part)), [TEAM]) is None
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("statuses", [(200,), (404, None, 403)])
def test_the_wait_ends_at_the_first_answer_other_than_404(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[int | None, ...]
) -> None:
    answers = iter([*statuses, 404])
    monkeypatch.setattr(IndexClient, "ask_file", lambda *_: next(answers))
    monkeypatch.setattr(absent_files, "WAIT_SECONDS", 1.5)
    wait_for(FOUND, "token", {}, lambda: None)
    assert list(answers) == [404]
