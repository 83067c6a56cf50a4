"""Why a package is not found, if every index has answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.checks.network.lookup import PUBLIC, LookupResult, explain_absence
from codeartifact_pipenv.checks.network.repository import Login
from codeartifact_pipenv.checks.network.wanted import WantedPackage
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.lookups.index_client import UNREACHABLE, Answer
from codeartifact_pipenv.lookups.repository_api import Chain

if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
FOUND, MISSING, SILENT = Answer(200), Answer(404), Answer(None, UNREACHABLE)


class FakeAccount:
    """Stands in for the AWS API."""

    def __init__(self, *, public: str | None = None, blocked: bool | None = False) -> None:
        self._public, self._blocked = public, blocked

    def package_names(self, endpoint: RepositoryEndpoint) -> list[str] | None:
        del endpoint
        return ["orb-common"]

    def chain(self, endpoint: RepositoryEndpoint) -> Chain | None:
        del endpoint
        return Chain((), self._public)

    def blocks_upstream(self, endpoint: RepositoryEndpoint, name: str) -> bool | None:
        del endpoint, name
        return self._blocked


def code(
    answers: dict[str, Answer],
    *searched: str,
    account: FakeAccount | None = None,
    name: str = "orb-comon",
) -> str | None:
    endpoint = parse_url(f"https://{HOST}/pypi/team/simple/")
    assert endpoint is not None
    login = Login("ours", endpoint, AuthorizationToken.from_text("x", source="AWS"))
    result = LookupResult(WantedPackage(name, "", None, "Pipfile"), answers, searched)
    asked = cast("BestEffortAwsApi", account or FakeAccount())
    found = explain_absence(result, {"ours": login}, asked, [])
    if found is not None and found.code == "package-missing":
        assert ("did you mean orb-common?" in found.hint) == (name == "orb-comon")
    return found.code if found else None


@pytest.mark.parametrize("name", ["orb-comon", "wholly-other"])
def test_a_missing_package_is_reported_with_a_similar_name(name: str) -> None:
    assert code({"ours": MISSING, PUBLIC: MISSING}, "ours", name=name) == "package-missing"


def test_a_package_in_an_unsearched_repository_lacks_its_index() -> None:
    answers = {"pypi": MISSING, "ours": FOUND, PUBLIC: MISSING}
    assert code(answers, "pypi") == "index-missing"


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (FakeAccount(), "no-public-upstream"),
        (FakeAccount(blocked=True), "origin-blocked"),
        (FakeAccount(public="store"), None),
    ],
)
def test_a_public_package_that_a_repository_lacks_is_blocked_or_has_no_upstream(
    account: FakeAccount, expected: str | None
) -> None:
    answers = {"ours": MISSING, PUBLIC: FOUND}
    assert code(answers, "ours", account=account) == expected


@pytest.mark.parametrize("answer", [None, SILENT, Answer(403), Answer(429), Answer(503)])
@pytest.mark.parametrize("place", ["mirror", PUBLIC])
def test_nothing_is_missing_while_an_index_fails(place: str, answer: Answer | None) -> None:
    answers = {"ours": MISSING, "mirror": MISSING, PUBLIC: MISSING}
    del answers[place]
    if answer is not None:
        answers[place] = answer
    assert code(answers, "ours", "mirror") is None
