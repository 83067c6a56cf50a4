"""Decides where a token comes from, for the wrapper and the keyring backend.

An inherited token wins, then a fresh cached one. Only then is AWS called, by one process at a time.
"""

from __future__ import annotations

import codecs
import os
import sys
import time
from contextlib import nullcontext
from typing import NamedTuple

from codeartifact_pipenv.auth.authorization_token import (
    OWN_SOURCES,
    AuthorizationToken,
    TokenCache,
    describe_duration,
    fingerprint,
)
from codeartifact_pipenv.aws.caller import Caller, TokenRequest
from codeartifact_pipenv.errors import ConfigurationError, TokenError
from codeartifact_pipenv.files.io import digest, read_bytes, read_text
from codeartifact_pipenv.settings import MAXIMUM_DURATION, TOKEN_VARIABLE, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from codeartifact_pipenv.auth.negative_cache import NegativeCache
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.report import Report

    class TokenProvider(Protocol):
        """Makes new tokens."""

        def __call__(
            self, domain: Domain, *, duration: int, caller: Caller, may_prompt: bool
        ) -> AuthorizationToken:
            """Return a new token; arguments and errors as ``aws.get_authorization_token``."""
            ...

    from collections.abc import Iterable


# Variables that select the AWS identity.
_IDENTITY_VARIABLES = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_DEFAULT_PROFILE",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    }
)


class DotEnv(NamedTuple):
    """A ``.env`` that pipenv loads over the environment: path and values."""

    path: str
    values: Mapping[str, str | None]
    written: Mapping[str, str | None] = {}


class Resolver:
    """Finds an authorization token for a domain.

    Args:
        settings: the settings in use.
        environ: the environment.
        report: where notes and warnings go.
        dotenv: the ``.env`` that pipenv will load, or None if it loads none.
        is_backend: whether a keyring client asks. Other backends are then not asked, and a call
            that AWS refused seconds ago is refused without asking again.
        provider: makes new tokens; AWS is the default.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        report: Report,
        dotenv: DotEnv | None = None,
        *,
        is_backend: bool = False,
        provider: TokenProvider | None = None,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._report = report
        self._dotenv = dotenv
        self._backend = None if is_backend else settings.text("keyring-backend")
        self._provider = provider or _ask_aws
        directory = None if settings.flag("no-cache") else settings.state_directory()
        self._cache = TokenCache(directory)
        self._uses_negative_cache = is_backend and not settings.flag("refresh")

    def token(
        self, endpoint: RepositoryEndpoint, variables: Sequence[str] = (TOKEN_VARIABLE,)
    ) -> AuthorizationToken:
        """Return a token for an endpoint's domain.

        Args:
            endpoint: where the token is used.
            variables: the variables that may contain an inherited token.

        Raises:
            ConfigurationError: the domain's owner is not among the allowed ones, or a
                ``.env`` would replace the token by an invalid one.
            TokenError: the token could not be obtained.
        """
        domain = endpoint.domain
        check_owner(self._settings, endpoint)
        token = self._find_inherited(variables, domain)
        if token is None:
            try:
                token = self._ask_other_backend(endpoint) or self._from_cache_or_aws(endpoint)
            except TokenError as error:
                self._adapt_hint(error, variables)
                raise
        elif token.is_ending():
            token = self._replace_ending(token, endpoint)
        self._report.note(f"token for {domain} from {token.source}")
        return token

    def renew(
        self, endpoint: RepositoryEndpoint, refused: AuthorizationToken
    ) -> AuthorizationToken | None:
        """Replace a token that a repository no longer accepts.

        The user is not asked for a second factor, and no progress is shown, because pipenv uses
        the terminal.

        Args:
            endpoint: the repository.
            refused: the token that this resolver has returned for it.

        Returns:
            Another token, or None if the refused token is inherited and has not expired, or if another keyring
            backend is configured.

        Raises:
            TokenError: another token could not be obtained.
        """
        if self._backend is not None:
            return None
        if refused.source not in OWN_SOURCES and not refused.has_expired():
            return None
        return self._from_cache_or_aws(endpoint, refused)

    def find_offline(
        self, endpoint: RepositoryEndpoint, variables: Sequence[str] = (TOKEN_VARIABLE,)
    ) -> AuthorizationToken | None:
        """Return a token without calling AWS, or None if none is available.

        Args and errors as for ``token``.
        """
        check_owner(self._settings, endpoint)
        inherited = self._find_inherited(variables, endpoint.domain)
        if inherited is not None:
            return inherited
        request = token_request(self._settings, self._environ, endpoint)
        return self._fresh(self._key(endpoint.domain, request))

    def _find_inherited(
        self, variables: Sequence[str], domain: Domain
    ) -> AuthorizationToken | None:
        refresh = self._settings.flag("refresh")
        for name in variables:
            if self._dotenv is not None and name in self._dotenv.values:
                return self._from_dotenv(self._dotenv, name, domain, refresh=refresh)
            token = None if refresh else self._from_environment(name, domain)
            if token is None:
                continue
            if not token.has_expired():
                return token
            self._report.warning(
                f"The token from {token.source} expired {_expired_for(token)} ago; a new one is used.",
                "token-expired",
            )
        return None

    def _from_environment(self, name: str, domain: Domain) -> AuthorizationToken | None:
        """Return the token in a variable or in its file."""
        value = self._environ.get(name, "").strip()
        if value:
            self._check_shape(value, name, domain)
            return AuthorizationToken.from_text(value, source=f"the environment ({name})")
        path = token_file(name, self._environ)
        if path is None:
            return None
        value = read_token_file(path, name, self._environ)
        return AuthorizationToken.from_text(value, source=path)

    def _adapt_hint(self, error: TokenError, variables: Sequence[str]) -> None:
        """Adapt a hint about a ready token to the variable in use and to --ca-refresh."""
        if TOKEN_VARIABLE not in error.hint:
            return
        if self._settings.flag("refresh"):
            error.hint += f" But {self._settings.origin('refresh')} ignores such a token."
        if variables and TOKEN_VARIABLE not in variables:
            error.hint = error.hint.replace(TOKEN_VARIABLE, variables[0])

    def _check_shape(self, value: str, name: str, domain: Domain, path: str | None = None) -> None:
        """Raise if a variable certainly does not contain a token."""
        from codeartifact_pipenv.auth.token_shape import describe_non_token

        found = describe_non_token(value, self._environ)
        if found is None:
            return
        if path is not None:
            raise ConfigurationError(
                f"{_assignment_place(name, path)}: {name} is not a token, it is {found}.",
                f"Remove {name} from {path}, and each command fetches a token; a `.env` does not run "
                "commands.",
                "token-malformed",
            )
        which = f"--domain {domain.name} --domain-owner {domain.owner} --region {domain.region}"
        raise ConfigurationError(
            f"{name} in the environment is not a token: it is {found}.",
            f"Set it with `export {name}=$(aws codeartifact get-authorization-token {which} "
            f"--query authorizationToken --output text)`, or unset {name} to have a token fetched.",
            "token-malformed",
        )

    def _replace_ending(
        self, inherited: AuthorizationToken, endpoint: RepositoryEndpoint
    ) -> AuthorizationToken:
        """Replace a token that is about to expire, if possible."""
        ending = f"The token from {inherited.source} ends within a minute"
        if self._dotenv is not None and inherited.source.startswith(self._dotenv.path):
            self._report.warning(f"{ending}, and pipenv loads it over any other.", "token-expired")
            return inherited
        try:
            token = self._ask_other_backend(endpoint) or self._from_cache_or_aws(endpoint)
        except TokenError:
            self._report.warning(f"{ending}, and another could not be obtained.", "token-expired")
            return inherited
        self._report.warning(f"{ending}; a new token is used.", "token-expired")
        return token

    def _from_dotenv(
        self, dotenv: DotEnv, name: str, domain: Domain, *, refresh: bool
    ) -> AuthorizationToken:
        value = (dotenv.values[name] or "").strip()
        token = None
        if value and not refresh:
            self._check_shape(value, name, domain, dotenv.path)
            token = AuthorizationToken.from_text(value, source=f"{dotenv.path} ({name})")
        if not value:
            trouble = "to nothing"
        elif token is None:
            trouble = "to another token"
        elif token.has_expired():
            trouble = f"to a token that expired {_expired_for(token)} ago"
        else:
            return token
        raise ConfigurationError(
            f"{dotenv.path} sets {name} {trouble}, and pipenv loads that over a fresh token.",
            f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            "dotenv-token",
        )

    def _ask_other_backend(self, endpoint: RepositoryEndpoint) -> AuthorizationToken | None:
        if self._backend is None:
            return None
        from codeartifact_pipenv.auth.other_backend import fetch_token

        return fetch_token(self._backend, endpoint)

    def _from_cache_or_aws(
        self, endpoint: RepositoryEndpoint, refused: AuthorizationToken | None = None
    ) -> AuthorizationToken:
        request = token_request(self._settings, self._environ, endpoint)
        if request.origin is not None:
            self._report.note(f"{request.origin} applies to {endpoint.domain}: {request}")
        key = self._key(endpoint.domain, request)
        cached = self._cached(key, refused)
        if cached is not None:
            return cached
        requested_at = time.time()
        if self._uses_negative_cache:
            self._raise_recent_refusal(key, request, requested_at)
        # While a token is renewed, pipenv writes on the terminal.
        telling = self._report.working("asks AWS for a token") if refused is None else nullcontext()
        with telling, self._cache.single_flight(key):
            # The process that held the lock may have stored a token or a refusal.
            cached = self._cached(key, refused)
            if cached is not None:
                return cached
            self._raise_recent_refusal(key, request, requested_at)
            return self._fetch(endpoint.domain, request, key, may_prompt=refused is None)

    def _cached(self, key: str, refused: AuthorizationToken | None) -> AuthorizationToken | None:
        if self._settings.flag("refresh") and refused is None:
            return None
        token = self._fresh(key)
        return None if token and refused and token.value == refused.value else token

    def _fetch(
        self, domain: Domain, request: TokenRequest, key: str, *, may_prompt: bool
    ) -> AuthorizationToken:
        began = time.time()
        try:
            token = self._provider(
                domain, duration=request.duration, caller=request.caller, may_prompt=may_prompt
            )
        except TokenError as error:
            if request.origin is not None:
                error.hint += f" The identity or the duration comes from {request.origin}."
            self._mention_dotenv(error)
            self._negative_cache().put(key, request, error, began=began)
            raise
        self._cache.put(key, token, domain)
        self._negative_cache().discard(key)
        return token

    def _mention_dotenv(self, error: TokenError) -> None:
        """Mention AWS variables in .env, which only pipenv's children see."""
        if self._dotenv is None:
            return
        names = [
            name
            for name, value in self._dotenv.values.items()
            if name in _IDENTITY_VARIABLES and value and self._environ.get(name) != value
        ]
        if not names:
            return
        are = "are" if len(names) > 1 else "is"
        note = f"{', '.join(names)} in {self._dotenv.path} {are} not read before pipenv starts"
        if error.code in {"no-credentials", "partial-credentials"}:
            error.sentence = f"{error.sentence.rstrip('.')}; {note}."
            error.args = (error.sentence,)
            profile = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} & set(names)
            error.hint = f"Export {', '.join(names)}" + (
                ", or set `profile` in [tool.codeartifact-pipenv] of pyproject.toml."
                if profile
                else "."
            )
            error.code = "dotenv-aws"
        else:
            error.hint += f" {note}."

    def _raise_recent_refusal(self, key: str, request: TokenRequest, requested_at: float) -> None:
        error = self._negative_cache().get(
            key, request, requested_at=requested_at, include_recent=self._uses_negative_cache
        )
        if error is not None:
            raise error

    def _negative_cache(self) -> NegativeCache:
        from codeartifact_pipenv.auth.negative_cache import NegativeCache

        return NegativeCache(self._cache, self._environ)

    def _fresh(self, key: str) -> AuthorizationToken | None:
        token = self._cache.get(key)
        return token if token is not None and token.is_fresh() else None

    def _key(self, domain: Domain, request: TokenRequest) -> str:
        import json

        caller = request.caller
        identity = [*domain, request.duration, fingerprint(self._environ, caller.profile)]
        if caller.keys is not None:
            identity.append(caller.keys.key_id)
        if caller.role is not None:
            identity.append(["role", caller.role])
        return digest(json.dumps(identity).encode())


def _ask_aws(
    domain: Domain, *, duration: int, caller: Caller, may_prompt: bool
) -> AuthorizationToken:
    from codeartifact_pipenv.auth.aws import get_authorization_token

    return get_authorization_token(domain, duration=duration, caller=caller, may_prompt=may_prompt)


def resolver_from_environment(report: Report) -> Resolver:
    """Return the resolver of the keyring backend, without options or project.

    It does not ask other backends, because their chain may have called this one. Clients ask again at
    once if they get no token, so refusals are remembered.
    """
    settings = Settings({}, os.environ)
    return Resolver(settings, os.environ, report, is_backend=True)


def _assignment_place(name: str, path: str) -> str:
    """Return the last place where a file sets a variable."""
    import re

    try:
        lines = read_text(path).split("\n")
    except (OSError, ValueError):
        return path
    setting = re.compile(rf"\s*(?:export\s+)?['\"]?{re.escape(name)}['\"]?\s*=")
    found = [number for number, line in enumerate(lines, 1) if setting.match(line)]
    return f"{path}, line {found[-1]}" if found else path


def _expired_for(token: AuthorizationToken) -> str:
    end = token.expires_at.timestamp() if token.expires_at else time.time()
    return describe_duration(time.time() - end)


# --- the request to AWS --------------------------------------------------------------------
# This program's settings come first. What they leave open comes from the ``[codeartifact]`` sections of
# keyring's configuration, which users of keyrings.codeartifact have. Both the wrapper and the keyring
# backend read them, so AWS sees the same identity in ``pip install`` and in ``pipenv-ca``.

# Only sections that begin like this are read.
_SECTION = b"[codeartifact"


def caller_for(settings: Settings, domain: Domain | None = None) -> Caller:
    """Return the caller for a domain, or for any domain, from this program's settings alone.

    Raises:
        ConfigurationError: a setting cannot be read.
    """
    profile, role = settings.text("profile", domain), settings.text("role", domain)
    return Caller(profile, role=role, profile_from=settings.origin("profile", domain))


def token_request(
    settings: Settings, environ: Mapping[str, str], endpoint: RepositoryEndpoint
) -> TokenRequest:
    """Return the request for an endpoint.

    Raises:
        ConfigurationError: a setting cannot be read, or keyring's configuration is needed
            and cannot be read, or contradicts itself.
    """
    caller = caller_for(settings, endpoint.domain)
    duration = settings.seconds("duration", -1)
    data = None if caller.profile and duration >= 0 else read_keyringrc(environ)
    if data is None:
        return TokenRequest(MAXIMUM_DURATION if duration < 0 else duration, caller)
    from codeartifact_pipenv.auth.keyringrc import KeyringConfig

    section = KeyringConfig(data, keyringrc_path(environ)).token_request(endpoint)
    uses_identity = caller.profile is None and section.caller != Caller()
    if uses_identity:
        # The role from the settings is assumed with the credentials of the section.
        caller = section.caller._replace(role=caller.role, profile_from=section.origin)
    uses_duration = duration < 0 <= section.duration
    if uses_duration:
        duration = section.duration
    return TokenRequest(
        MAXIMUM_DURATION if duration < 0 else duration,
        caller,
        section.origin if uses_identity or uses_duration else None,
    )


def check_owner(settings: Settings, endpoint: RepositoryEndpoint) -> None:
    """Check that a domain's account is allowed.

    Raises:
        ConfigurationError: it is not allowed.
    """
    allowed = settings.accounts("allowed-owners")
    if allowed is not None and endpoint.domain.owner not in allowed:
        raise ConfigurationError(
            f"The domain {endpoint.domain} belongs to an account that is not allowed.",
            "If you trust it, add the account to your allowed-owners setting.",
        )


def first_token_request(
    settings: Settings, environ: Mapping[str, str], endpoints: Iterable[RepositoryEndpoint | None]
) -> TokenRequest:
    """Return the request for the first endpoint, as calls about other things need it.

    Errors in keyring's configuration are reported only when a token is requested.

    Raises:
        ConfigurationError: a setting cannot be read.
    """
    endpoint = next((endpoint for endpoint in endpoints if endpoint is not None), None)
    if endpoint is not None:
        try:
            return token_request(settings, environ, endpoint)
        except ConfigurationError:
            pass
    return TokenRequest(MAXIMUM_DURATION, caller_for(settings))


def read_keyringrc(environ: Mapping[str, str]) -> bytes | None:
    """Return keyring's configuration, or None without a [codeartifact] section.

    Raises:
        ConfigurationError: it exists but cannot be read.
    """
    path = keyringrc_path(environ)
    if not os.path.isabs(path):
        return None  # a path in the current folder may belong to an untrusted project
    try:
        data = read_bytes(path)
    except OSError as error:
        # A parent folder that cannot be searched counts as missing.
        if not os.path.lexists(path):
            return None
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Make it readable or remove it: its [codeartifact] sections set the AWS identity.",
            "keyringrc-broken",
        ) from None
    return data if _SECTION in data else None


def keyringrc_path(environ: Mapping[str, str]) -> str:
    """Return the path of keyring's configuration (keyring.util.platform_.config_root)."""
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA", environ.get("PROGRAMDATA", "."))
        folder = os.path.join(base, "Python Keyring")
    else:
        base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
        folder = os.path.join(base, "python_keyring")
    return os.path.join(folder, "keyringrc.cfg")


# --- token files ---------------------------------------------------------------------------
# A variable ``..._FILE`` names the file, or it is a mounted secret: Docker mounts secrets of builds and
# services in ``/run/secrets`` ("Build secrets" in Docker's documentation). Only names that contain
# CODEARTIFACT are read: a project chooses the name of its variable, and must not choose which of its
# user's secrets are sent.

SECRETS = "/run/secrets"
_OURS = "CODEARTIFACT"
# Many times the size of a token.
_LIMIT = 1024 * 1024


def token_file(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the file that holds the token of a variable, or None.

    Args:
        name: the variable, such as CODEARTIFACT_AUTH_TOKEN.
        environ: the environment.
    """
    if _OURS not in name.upper():
        return None
    named = environ.get(f"{name}_FILE")
    if named:
        return os.path.expanduser(named)
    path = f"{SECRETS}/{name}"
    return path if os.path.exists(path) else None


def read_token_file(path: str, name: str, environ: Mapping[str, str]) -> str:
    """Return the token in a file, as text.

    Args:
        path: the file.
        name: the variable that it replaces.
        environ: the environment.

    Raises:
        ConfigurationError: it cannot be read, is empty, or certainly contains something else.
    """
    from codeartifact_pipenv.auth.token_shape import describe_non_token

    value = ""
    try:
        # PowerShell writes UTF-16.
        data = read_bytes(path, _LIMIT)
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        value = data.decode("utf-16" if is_utf16 else "utf-8-sig").strip()
        found = describe_non_token(value, environ) if value else "empty"
        wrong = f"it is {found}" if found else None
    except OSError as error:
        wrong = f"it cannot be read: {error.strerror or error}"
    except ValueError:
        wrong = "it is not a text"
    if wrong is None:
        return value
    named = f"{name}_FILE names it" if environ.get(f"{name}_FILE") else "it is a mounted secret"
    raise ConfigurationError(
        f"{path} does not hold a token ({named}): {wrong}.",
        "Write into it what `aws codeartifact get-authorization-token --query authorizationToken "
        "--output text` prints, or remove it to have a token fetched.",
        "token-malformed",
    )
