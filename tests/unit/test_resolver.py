"""The resolver replaces a token that a repository no longer accepts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.aws.caller import Caller
    from codeartifact_pipenv.terminal.progress import Working

ENDPOINT = endpoint_for(Domain("my-dom", "123456789012", "us-east-1"), "team")
HOUR = timedelta(hours=1)


class Provider:
    """Make one token after another, until it is set to refuse."""

    def __init__(self) -> None:
        self.made = 0
        self.prompts: list[object] = []
        self.refuses = False

    def __call__(
        self, domain: Domain, *, duration: int, caller: Caller, may_prompt: bool
    ) -> AuthorizationToken:
        del duration, caller
        if self.refuses:
            raise TokenError(f"AWS denies a token for {domain}.", "Ask for it.")
        self.made += 1
        self.prompts.append(may_prompt)
        return token(f"made-{self.made}", "AWS")


class Talker(Report):
    """Record the progress messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def working(self, what: str) -> Working:
        self.messages.append(what)
        return super().working(what)


def token(
    value: str, source: str, begin: timedelta = -HOUR, end: timedelta = HOUR
) -> AuthorizationToken:
    now = datetime.now(timezone.utc)
    return AuthorizationToken(value, source=source, issued_at=now + begin, expires_at=now + end)


@pytest.fixture
def made_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Provider:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Provider()


@pytest.fixture
def resolver(made_by: Provider, tmp_path: Path) -> Resolver:
    environ = {"PIPENV_CA_CACHE_DIR": str(tmp_path / "cache")}
    return Resolver(Settings({}, environ), environ, Report(), provider=made_by)


def test_refused_token_is_renewed_once(resolver: Resolver, made_by: Provider) -> None:
    """Later renewals of the old token return the new one, without a prompt."""
    first = resolver.token(ENDPOINT)
    for _ in range(3):
        renewed = resolver.renew(ENDPOINT, first)
        assert renewed is not None
        assert renewed.value == "made-2"
    assert resolver.token(ENDPOINT).value == "made-2"
    assert made_by.prompts == [True, False]


def test_renewal_shows_no_progress(made_by: Provider) -> None:
    talker = Talker()
    environ = {"PIPENV_CA_NO_CACHE": "1"}
    resolver = Resolver(Settings({}, environ), environ, talker, provider=made_by)
    first = resolver.token(ENDPOINT)
    assert talker.messages == ["asks AWS for a token"]
    assert resolver.renew(ENDPOINT, first) is not None
    assert made_by.made == 2
    assert len(talker.messages) == 1


def test_an_inherited_token_is_renewed_only_after_it_expires(resolver: Resolver) -> None:
    assert resolver.renew(ENDPOINT, token("given", "the environment")) is None
    over = token("given", "the environment", -2 * HOUR, -HOUR)
    renewed = resolver.renew(ENDPOINT, over)
    assert renewed is not None
    assert renewed.value == "made-1"


def test_a_refused_renewal_is_a_token_error(resolver: Resolver, made_by: Provider) -> None:
    first = resolver.token(ENDPOINT)
    made_by.refuses = True
    with pytest.raises(TokenError):
        resolver.renew(ENDPOINT, first)
