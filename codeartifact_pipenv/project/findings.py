"""Problems of a project's sources and lock that its files show."""

from __future__ import annotations

import os
import shlex
from urllib.parse import unquote, urlsplit

from codeartifact_pipenv.findings import Finding, failure
from codeartifact_pipenv.project.placeholders import placeholder_in
from codeartifact_pipenv.project.sources import (
    USERNAME,
    expand,
    is_loopback,
    url_correction_hint,
    variables_in,
)
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from codeartifact_pipenv.project.sources import Source


def unset_variables(
    sources: Iterable[Source], environ: Mapping[str, str], assigned: Collection[str]
) -> list[Finding]:
    """Find unset variables in the URLs of sources.

    Args:
        sources: the project's sources.
        environ: the environment as pipenv will see it.
        assigned: the variables that will hold a token.
    """
    known = {*environ, *assigned}
    missing = [(source, ", ".join(sorted(variables_in(source.url) - known))) for source in sources]
    return [
        _failure(
            source,
            "variable-unset",
            f"names {names}, which nothing sets.",
            f"Set {names} in the environment or in .env, or write the value into {source.origin}.",
        )
        for source, names in missing
        if names
    ]


def wrong_usernames(sources: Iterable[Source]) -> list[Finding]:
    """Find CodeArtifact URLs whose username is not ``aws``."""
    return [
        _failure(
            source,
            "url-username",
            f"has the username {source.username!r}, but CodeArtifact accepts only {USERNAME!r}.",
            f"Write https://{USERNAME}:${{{source.variable or TOKEN_VARIABLE}}}@... in "
            f"{source.origin}.",
        )
        for source in sources
        if source.endpoint and source.has_password and source.username != USERNAME
    ]


def literal_token(source: Source, environ: Mapping[str, str]) -> str | None:
    """Return the plain-text password in a repository's URL, or None if it has none."""
    if source.endpoint is None or source.variable is not None or not source.has_password:
        return None
    if placeholder_in(source.url):
        return None
    userinfo = expand(source.url, environ).partition("://")[2].rpartition("@")[0]
    return unquote(userinfo.partition(":")[2])


def literal_tokens(sources: Iterable[Source], environ: Mapping[str, str]) -> list[Finding]:
    """Find tokens written into the Pipfile itself."""
    return [
        _failure(
            source,
            "url-token",
            "contains a plain-text token, which expires within 12 hours and is visible to "
            "everybody with a checkout.",
            f"Write https://{USERNAME}:${{{TOKEN_VARIABLE}}}@... in {source.origin} instead.",
        )
        for source in sources
        if literal_token(source, environ)
    ]


def urls_without_simple(sources: Iterable[Source], environ: Mapping[str, str]) -> list[Finding]:
    """Find CodeArtifact URLs that do not end in the index's path."""
    found = []
    for source in sources:
        if source.endpoint is None:
            continue
        path = urlsplit(expand(source.url, environ)).path.rstrip("/")
        wanted = urlsplit(source.endpoint.simple_url).path
        if path != wanted.rstrip("/"):
            sentence = f"does not end in {wanted}, so pipenv finds no packages there."
            hint = url_correction_hint(source.url, environ)
            found.append(_failure(source, "url-without-simple", sentence, hint))
    return found


def near_misses(sources: Iterable[Source], environ: Mapping[str, str]) -> list[Finding]:
    """Find URLs that look like CodeArtifact's but get no token."""
    return [
        _failure(
            source,
            "near-miss",
            f"looks like CodeArtifact's but gets no token: {source.mismatch_reason}.",
            url_correction_hint(source.url, environ),
        )
        for source in sources
        if source.endpoint is None and source.mismatch_reason
    ]


def outdated_lock(digests: Collection[str], lock: Mapping[str, Any] | None) -> Finding | None:
    """Find a lock that was made from another Pipfile.

    Args:
        digests: the Pipfile's hashes.
        lock: the lock, or None if it does not exist.
    """
    if lock is None or lock["_meta"]["hash"]["sha256"] in digests:
        return None
    return failure(
        "lock-outdated",
        "Pipfile.lock",
        "Pipfile.lock does not match the Pipfile.",
        "Run `pipenv-ca lock` and commit both files.",
    )


def left_on_loopback(pipfile: str, sources: Iterable[Source]) -> Finding | None:
    """Find a loopback URL left by a killed command of version 1 that saved the original Pipfile."""
    folder, name = os.path.split(pipfile)
    original = os.path.join(folder, f".{name}.pipenv-ca-original")
    left = [source for source in sources if is_loopback(source.url)]
    if not left or not os.path.exists(original):
        return None
    hint = f"Run `{shlex.join(['mv', original, pipfile])}`."
    sentence = "was left by a killed command of version 1."
    return _failure(left[0], "pipfile-loopback", sentence, hint)


def _failure(source: Source, code: str, predicate: str, hint: str) -> Finding:
    """Return a failure about the URL of a source."""
    sentence = f"The URL of source {source.name} {predicate}"
    return failure(code, f"source {source.name}", sentence, hint)
