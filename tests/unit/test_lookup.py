"""Look-ups: a package is missing only if every index has answered, and no call delays another."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.checks.network.lookup import PUBLIC, LookupResult, explain_absence
from codeartifact_pipenv.checks.network.repository import Login
from codeartifact_pipenv.checks.network.wanted import WantedPackage
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.lookups.index_client import UNREACHABLE, Answer
from codeartifact_pipenv.lookups.parallel import ask_all

if TYPE_CHECKING:
    from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi

URL = "https://my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/team/simple/"
MISSING = Answer(404)


@pytest.mark.parametrize("answer", [None, Answer(None, UNREACHABLE), Answer(403), Answer(503)])
@pytest.mark.parametrize("place", ["mirror", PUBLIC])
def test_nothing_is_missing_while_an_index_fails(place: str, answer: Answer | None) -> None:
    answers = {"ours": MISSING, "mirror": MISSING, PUBLIC: MISSING, place: answer}
    given = {name: said for name, said in answers.items() if said is not None}
    endpoint = parse_url(URL)
    assert endpoint is not None
    login = Login("ours", endpoint, AuthorizationToken.from_text("x", source="AWS"))
    wanted = WantedPackage("orb-common", "", None, "Pipfile")
    result = LookupResult(wanted, given, ("ours", "mirror"))
    aws = cast("BestEffortAwsApi", None)  # it would say why the package is missing
    assert explain_absence(result, {"ours": login}, aws, []) is None


def test_a_call_that_fails_or_hangs_does_not_delay_the_others() -> None:
    release = threading.Event()
    questions = {"bad": lambda: bool(1 // 0), "hangs": release.wait, "good": lambda: True}
    try:
        assert ask_all(questions, 0.3, threads=2) == {"good": True}
    finally:
        release.set()
