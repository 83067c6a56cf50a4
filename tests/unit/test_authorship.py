"""Whose work a file is that was written about the time of a kill."""

from __future__ import annotations

import json

import pytest

from codeartifact_pipenv.wrapper.authorship import (
    COMMAND,
    EITHER,
    USER,
    author,
    author_of_lock,
    without_staged_sources,
)

STAGED = """# The team's.
[[source]]
url = "http://127.0.0.1:4711/simple"
verify_ssl = true
name = "public"

[packages]
# private
acme-invoices = {version = "==1.0", index = "public"}  # for the build
"""
ORIGINAL = STAGED.replace("http://127.0.0.1:4711/simple", "https://example.com/simple")
ENTRY = 'acme-invoices = {version = "==1.0", index = "public"}'


def whose(text: str, *named: str) -> str:
    return author(text.encode(), STAGED.encode(), set(named))


@pytest.mark.parametrize(
    "text",
    [
        STAGED.replace(ENTRY, 'acme-invoices = "*"'),
        STAGED.replace(ENTRY, 'Acme_Invoices = "*"').replace("# private\n", ""),
        STAGED.replace(ENTRY, ""),
        STAGED.replace(ENTRY, 'acme-invoices = "*"') + "\n[dev-packages]\n",
        STAGED + '\n[[source]]\nurl = "http://127.0.0.1:4711/simple"\nname = "127001"\n',
        STAGED + '\n[dev-packages]\nacme-invoices = {git = "https://example.com/x#egg=x"}\n',
        STAGED[:-60],
    ],
    ids=["version", "spelling", "removed", "table", "source", "category", "half"],
)
def test_what_the_command_may_have_written(text: str) -> None:
    """What an update of a package does to the Pipfile may be its own work."""
    assert whose(text, "acme-invoices") == EITHER


@pytest.mark.parametrize(
    "text",
    [
        STAGED + 'six = "*"\n',
        STAGED + "# to be removed\n",
        STAGED.replace("for the build", "for the tests"),
        STAGED + '\n[requires]\npython_version = "3.11"\n',
        STAGED + '\n[scripts]\nbuild = "make"\n',
        STAGED.replace("127.0.0.1:4711", "localhost"),
        ORIGINAL,
        ORIGINAL.replace(ENTRY, 'acme-invoices = "*"'),
        "# nothing is left\n",
    ],
    ids=[
        *("package", "comment", "changed comment", "requires", "scripts", "source", "original"),
        *("original, edited", "emptied"),
    ],
)
def test_what_only_a_user_writes(text: str) -> None:
    """What an update of a package never does is its user's work."""
    assert whose(text, "acme-invoices") == USER


def test_packages_that_are_not_named() -> None:
    """A command without names changes no package; one of a file of names may change any."""
    text = STAGED.replace(ENTRY, 'acme-invoices = "*"')
    assert whose(text) == USER
    assert author(text.encode(), STAGED.encode(), None) == EITHER


def test_empty_file() -> None:
    """An empty Pipfile is one that pipenv had just begun to write."""
    assert whose("\n") == COMMAND


def lock(url: str) -> bytes:
    return json.dumps({"_meta": {"sources": [{"url": url}]}}).encode()


def test_locks() -> None:
    """A lock is the command's where it leads to loopback or is half written."""
    staged, other = lock("http://127.0.0.1:4711/simple"), lock("https://example.com/simple")
    assert author_of_lock(staged, staged) == COMMAND
    assert author_of_lock(other[:-3], staged) == COMMAND
    assert author_of_lock(other, staged) == USER
    assert author_of_lock(other, lock("https://example.com")) == EITHER
    assert author_of_lock(other, None) == EITHER
    assert author_of_lock(b'lock-version = "1.0"\n', None) == EITHER
    assert author_of_lock(b'lock-version = "1.', None) == COMMAND


def test_sources_come_back() -> None:
    """An edited Pipfile gets its sources back, a file of another kind stays as it is."""
    edited = (STAGED + 'six = "*"\n').encode()
    assert without_staged_sources(edited, ORIGINAL.encode()) == (ORIGINAL + 'six = "*"\n').encode()
    assert without_staged_sources(b'six = "*"', ORIGINAL.encode()) == b'six = "*"'
    assert without_staged_sources(edited, None) == edited
    broken = b"[packages\n# http://127.0.0.1:4711/simple"
    assert without_staged_sources(broken, ORIGINAL.encode()) == broken
