"""Findings in the files of a project."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.sources import Source, read_source

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
VARIABLE = "CODEARTIFACT_AUTH_TOKEN"


def source(userinfo: str = "", path: str = "/pypi/team/simple/", host: str = HOST) -> Source:
    return read_source("ca", f"https://{userinfo}{host}{path}", "Pipfile", {})


def test_variable_that_nothing_sets_is_reported() -> None:
    """A variable that is set, or will be set, is not."""
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
def test_username_other_than_aws_is_reported_if_a_password_follows(
    userinfo: str, is_wrong: bool
) -> None:
    found = findings.wrong_usernames([source(userinfo)])
    assert [finding.code for finding in found] == (["url-username"] if is_wrong else [])
    assert findings.wrong_usernames([source("me:x@", host="index.example")]) == []


def test_token_in_clear_text_is_found_and_not_repeated() -> None:
    """URLs of other indexes are ignored."""
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
def test_repository_url_without_simple_is_reported_with_the_full_url(
    path: str, is_wrong: bool
) -> None:
    found = findings.urls_without_simple([source(path=path)], {})
    assert [finding.code for finding in found] == (["url-without-simple"] if is_wrong else [])
    assert all("/pypi/team/simple/" in finding.hint for finding in found)
    assert findings.urls_without_simple([source(path=path, host="index.example")], {}) == []


def test_lock_of_another_pipfile_is_reported_as_outdated() -> None:
    lock = {"_meta": {"hash": {"sha256": "a"}}}
    assert findings.outdated_lock(["x", "a"], lock) is None
    assert findings.outdated_lock(["a"], None) is None
    found = findings.outdated_lock(["b"], lock)
    assert found is not None
    assert found.code == "lock-outdated"
