"""The resolver replaces a token that ends soon, or that a repository no longer accepts."""

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

ENDPOINT = endpoint_for(Domain("my-dom", "123456789012", "us-east-1"), "team")
HOUR = timedelta(hours=1)


def token(value: str, source: str, end: timedelta = HOUR) -> AuthorizationToken:
    now = datetime.now(timezone.utc)
    return AuthorizationToken(value, source=source, issued_at=now - 2 * HOUR, expires_at=now + end)


class Provider:
    """Make one token after another, until it is set to refuse."""

    def __init__(self) -> None:
        self.left = HOUR
        self.prompts: list[object] = []
        self.refuses = False

    def __call__(self, domain: Domain, *, may_prompt: bool, **_: object) -> AuthorizationToken:
        if self.refuses:
            raise TokenError(f"AWS denies a token for {domain}.", "Ask for it.")
        self.prompts.append(may_prompt)
        return token(f"made-{len(self.prompts)}", "AWS", end=self.left)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Provider:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Provider()


@pytest.fixture
def resolver(provider: Provider, tmp_path: Path) -> Resolver:
    environ = {"PIPENV_CA_CACHE_DIR": str(tmp_path / "cache")}
    return Resolver(Settings({}, environ), environ, Report(), provider=provider)


@pytest.mark.parametrize(("minutes", "second"), [(60, "made-1"), (14, "made-2")])
def test_a_cached_token_is_used_until_it_ends_soon(
    minutes: int, second: str, resolver: Resolver, provider: Provider
) -> None:
    provider.left = timedelta(minutes=minutes)
    assert resolver.token(ENDPOINT).value == "made-1"
    assert resolver.token(ENDPOINT).value == second


def test_a_refused_token_is_renewed_once_without_a_prompt(
    resolver: Resolver, provider: Provider
) -> None:
    """Later renewals of the old token return the new one; a refused one is an error."""
    first = resolver.token(ENDPOINT)
    for _ in range(3):
        renewed = resolver.renew(ENDPOINT, first)
        assert renewed is not None
        assert renewed.value == "made-2"
    second = resolver.token(ENDPOINT)
    assert second.value == "made-2"
    assert provider.prompts == [True, False]
    provider.refuses = True
    with pytest.raises(TokenError):
        resolver.renew(ENDPOINT, second)


def test_an_inherited_token_is_renewed_only_after_it_expires(resolver: Resolver) -> None:
    assert resolver.renew(ENDPOINT, token("given", "the environment")) is None
    renewed = resolver.renew(ENDPOINT, token("given", "the environment", -HOUR))
    assert renewed is not None
    assert renewed.value == "made-1"
