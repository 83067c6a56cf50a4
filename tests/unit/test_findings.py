"""What the files of a project tell of what is wrong with it."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.sources import Source, read_source

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
VARIABLE = "CODEARTIFACT_AUTH_TOKEN"


def source(userinfo: str = "", path: str = "/pypi/team/simple/", host: str = HOST) -> Source:
    return read_source("ca", f"https://{userinfo}{host}{path}", "Pipfile", {})


def test_unset_variables() -> None:
    """A variable that nothing sets is named; one that is set, or will be, is not."""
    one = source(path="/pypi/${REPO}-${STAGE}/", host=HOST)
    (found,) = findings.unset_variables([one], {"STAGE": "x"}, [])
    assert (found.code, found.subject) == ("variable-unset", "source ca")
    assert "names REPO, which nothing sets" in found.sentence
    assert findings.unset_variables([one], {"STAGE": ""}, ["REPO"]) == []


@pytest.mark.parametrize(
    ("userinfo", "is_wrong"),
    [
        (f"aws:${{{VARIABLE}}}@", False),
        (f"me:${{{VARIABLE}}}@", True),
        (f":${{{VARIABLE}}}@", True),
        ("me@", False),
        ("", False),
    ],
)
def test_usernames(userinfo: str, is_wrong: bool) -> None:
    """Who logs in as another than aws is told, where there is a password to log in with."""
    found = findings.wrong_usernames([source(userinfo)])
    assert [finding.code for finding in found] == (["url-username"] if is_wrong else [])
    assert findings.wrong_usernames([source("me:x@", host="index.example")]) == []


def test_literal_tokens() -> None:
    """A token in clear is found, and neither repeated nor seen in another index's URL."""
    one = source("aws:to%2Fken@")
    assert findings.literal_token(one, {}) == "to/ken"
    (found,) = findings.literal_tokens([one], {})
    assert found.code == "url-token"
    assert "ken@" not in "".join(map(str, found))
    for other in (source(f"aws:${{{VARIABLE}}}@"), source(), source("a:b@", host="index.example")):
        assert findings.literal_tokens([other], {VARIABLE: "x"}) == []


@pytest.mark.parametrize(
    ("path", "is_wrong"),
    [
        ("/pypi/team/simple/", False),
        ("/pypi/team/simple", False),
        ("/pypi/team/", True),
        ("/pypi/team", True),
    ],
)
def test_urls_without_simple(path: str, is_wrong: bool) -> None:
    """A repository's URL that is not its index's is told, with what it should end in."""
    found = findings.urls_without_simple([source(path=path)], {})
    assert [finding.code for finding in found] == (["url-without-simple"] if is_wrong else [])
    assert all("/pypi/team/simple/" in finding.hint for finding in found)
    assert findings.urls_without_simple([source(path=path, host="index.example")], {}) == []


def test_outdated_lock() -> None:
    """A lock of another Pipfile is told; none, or the right one, is not."""
    lock = {"_meta": {"hash": {"sha256": "a"}}}
    assert findings.outdated_lock(["x", "a"], lock) is None
    assert findings.outdated_lock(["a"], None) is None
    found = findings.outdated_lock(["b"], lock)
    assert found is not None
    assert found.code == "lock-outdated"
