"""Gets a token from AWS with botocore, using the same credentials as the AWS CLI.

Imported only for a call to AWS, because importing botocore takes longer than everything else.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import os
import socket
import subprocess
import time
import warnings
from datetime import datetime, timedelta, timezone

import botocore.exceptions
import botocore.parsers
import botocore.session
import botocore.utils
from botocore.config import Config

from codeartifact_pipenv.auth.authorization_token import FROM_AWS, AuthorizationToken
from codeartifact_pipenv.aws.errors import PROCESS_SECONDS, explain, malformed_keys
from codeartifact_pipenv.aws.failure import error_code
from codeartifact_pipenv.aws.loader import use_quick_loader
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.settings import MAXIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from codeartifact_pipenv.aws.caller import Caller
    from codeartifact_pipenv.endpoint import Domain

    _T = TypeVar("_T")

# Report a dead network within seconds. botocore's own calls of STS and SSO would wait a minute each.
TIMEOUTS = Config(connect_timeout=5, read_timeout=10)
CALLS = TIMEOUTS.merge(
    Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        parameter_validation=False,
    )
)
# AWS grants an account 40 tokens a second in a region (CodeArtifact user guide, quotas), and CI
# may start more machines than that at once. After a throttled call botocore pauses for a random
# time of up to 1, 2, 4 and 8 seconds: of 300 machines, 11 are throttled five times. They try seven
# more times, with pauses of up to 1, 2, 4, 8, 16 and 20 seconds. Then all 300 have a token within 15
# seconds, and of 600 all but one in every sixth burst. Permanent throttling is reported after half a
# minute, or 66 seconds at most. More attempts from the start would also be made on a dead network, and
# botocore's adaptive mode only spaces the calls of one client.
_THROTTLED = CALLS.merge(Config(retries={"mode": "standard", "total_max_attempts": 7}))
# A machine that has just woken has no network for some seconds; botocore gives up after one.
_NETWORK_PAUSES = (0.5, 1.0, 2.0, 3.0)
_NO_NETWORK = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
_THROTTLING = {"ThrottlingException", "TooManyRequestsException"}
# The AWS CLI's cache of assumed roles. It is shared, so that a second factor is requested once and not
# at every run; botocore's own cache is in memory only.
_ROLE_CACHE = "~/.aws/cli/cache"
# botocore raises these for a truncated or altered response.
UNREADABLE = (
    botocore.parsers.ResponseParserError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
)
# No token lives longer than 12 hours; a much later end is a damaged response.
_LONGEST_LIFE = timedelta(days=7)
# Attempts after unreadable responses.
_ATTEMPTS = 3
# A call may raise these, because botocore does not wrap errors of credential sources and parsers.
# EOFError means that a second factor needs a terminal.
CALL_ERRORS = (
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.ClientError,
    botocore.parsers.ResponseParserError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    getpass.GetPassWarning,
    subprocess.SubprocessError,
)


def get_authorization_token(
    domain: Domain,
    *,
    duration: int,
    caller: Caller,
    may_prompt: bool = True,
) -> AuthorizationToken:
    """Call GetAuthorizationToken for a domain, in the region that its host names.

    Args:
        domain: the domain of the token.
        duration: life of the token in seconds, 900 to 43200, or 0 for the life of the temporary
            credentials.
        caller: the AWS identity.
        may_prompt: whether the user may be asked for a second factor.

    Raises:
        TokenError: credentials are missing or refused, or AWS cannot be reached.
    """
    client = None
    with warnings.catch_warnings():  # the process may belong to a client
        # Without a terminal getpass would print a warning and a prompt, and read pipenv's stdin.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            session = open_session(caller)
            if not may_prompt:
                forbid_prompts(session)
            client = _client(session, domain, CALLS)
            _wait_for_network(lambda: _check_keys(session, caller))
            try:
                return _wait_for_network(lambda: _request_token(client, domain, duration))
            except botocore.exceptions.ClientError as error:
                if _error_code(error) not in _THROTTLING:
                    raise
            client = _client(session, domain, _THROTTLED)
            return _request_token(client, domain, duration)
        except CALL_ERRORS as error:
            refined = _refine_error(error, client, domain, duration)
            if refined is not None:
                raise refined from error
            said = explain(
                error, domain, caller.profile, token=True, profile_from=caller.profile_from
            )
            raise TokenError.of(said) from error


def _wait_for_network(ask: Callable[[], _T]) -> _T:
    """Repeat a call for some seconds if this machine has no network or name server yet."""
    for pause in _NETWORK_PAUSES:
        try:
            return ask()
        except botocore.exceptions.BotoCoreError as error:
            if not _has_no_network(error):
                raise
        time.sleep(pause)
    return ask()


def _has_no_network(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror) or getattr(error, "errno", None) in _NO_NETWORK:
            return True
        error = error.__cause__ or error.__context__
    return False


def _request_token(client: Any, domain: Domain, duration: int) -> AuthorizationToken:
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(*UNREADABLE):
            return _request_token_once(client, domain, duration)
    return _request_token_once(client, domain, duration)


def _request_token_once(client: Any, domain: Domain, duration: int) -> AuthorizationToken:
    asked_at = datetime.now(timezone.utc)
    answer = client.get_authorization_token(
        domain=domain.name, domainOwner=domain.owner, durationSeconds=duration
    )
    expires_at = answer["expiration"].astimezone(timezone.utc)
    if not asked_at < expires_at < asked_at + _LONGEST_LIFE:
        raise ValueError("its expiry is impossible")
    return AuthorizationToken(
        answer["authorizationToken"], source=FROM_AWS, issued_at=asked_at, expires_at=expires_at
    )


def _check_keys(session: botocore.session.Session, caller: Caller) -> None:
    credentials = session.get_credentials()
    if credentials is not None:
        keys, given = credentials.get_frozen_credentials(), caller.keys is not None
        error = malformed_keys(keys, caller.profile, given=given)
        if error is not None:
            raise error


def _client(session: botocore.session.Session, domain: Domain, config: Config) -> Any:
    return session.create_client("codeartifact", region_name=domain.region, config=config)


# Common limits of sts:DurationSeconds in policies, in seconds.
_FALLBACK_DURATIONS = (3600, 900)


def _refine_error(
    error: BaseException, client: Any, domain: Domain, duration: int
) -> TokenError | None:
    """Call AWS again to tell apart two causes, or return None if it cannot."""
    code = _error_code(error)
    if code in {"AccessDeniedException", "AccessDenied"} and "ServiceBearer" in str(error):
        for shorter in _FALLBACK_DURATIONS:
            if shorter < (duration or MAXIMUM_DURATION) and _grants(client, domain, shorter):
                return TokenError(
                    f"AWS denies a token for {domain} that lives {duration} seconds, but "
                    f"grants {shorter} seconds: a policy limits sts:DurationSeconds.",
                    f"Set --ca-duration {shorter}, or `duration = {shorter}` in the configuration.",
                    "duration-refused",
                )
    if code == "ResourceNotFoundException":
        owner = _other_owner(client, domain)
        if owner is not None:
            return TokenError(
                f"CodeArtifact domain {domain} was not found; account {owner} has one of that name.",
                f"Put {owner} in place of {domain.owner} into the URL of the source.",
                "owner-wrong",
            )
    return None


def _error_code(error: BaseException) -> str | None:
    is_tokens = getattr(error, "operation_name", None) == "GetAuthorizationToken"
    return error_code(error) if is_tokens else None


def _grants(client: Any, domain: Domain, seconds: int) -> bool:
    try:
        _request_token(client, domain, seconds)
    except CALL_ERRORS:
        return False
    return True


def _other_owner(client: Any, domain: Domain) -> str | None:
    try:
        found = client.list_domains()["domains"]
    except CALL_ERRORS:
        return None
    return next((str(other["owner"]) for other in found if other["name"] == domain.name), None)


def open_session(caller: Caller) -> botocore.session.Session:
    """Return a session that makes its calls as the caller."""
    session = botocore.session.Session(profile=caller.profile)
    use_quick_loader(session)
    session.set_default_client_config(TIMEOUTS)
    if caller.keys is None:
        _share_role_cache(session)
        _limit_process(session)
        if os.environ.get("GITHUB_ACTIONS") or os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
            from codeartifact_pipenv.aws.github_identity import add_github_provider

            add_github_provider(session, caller.role)
    if caller.role is not None:
        from codeartifact_pipenv.aws.role import add_role_provider

        add_role_provider(session, caller.role, caller.keys)
    elif caller.keys is not None:
        session.set_credentials(caller.keys.key_id, caller.keys.secret)
    return session


def _share_role_cache(session: botocore.session.Session) -> None:
    """Let a session use the AWS CLI's cache of assumed roles."""
    chain = session.get_component("credential_provider")
    for name in ("assume-role", "assume-role-with-web-identity"):
        try:
            provider = chain.get_provider(name)
        except botocore.exceptions.UnknownCredentialError:
            continue
        provider.cache = _BestEffortCache(os.path.expanduser(_ROLE_CACHE))


def _limit_process(session: botocore.session.Session) -> None:
    """Limit the time of a credential process; botocore would wait without limit."""
    chain = session.get_component("credential_provider")
    with contextlib.suppress(botocore.exceptions.UnknownCredentialError):
        chain.get_provider("custom-process")._popen = _BoundedProcess  # noqa: SLF001 - as below


class _BoundedProcess(subprocess.Popen[bytes]):
    """A process that is killed after a time limit."""

    def communicate(
        self,
        input: bytes | None = None,  # noqa: A002 - its base's name
        timeout: float | None = None,
    ) -> tuple[bytes, bytes]:
        try:
            return super().communicate(input, timeout or PROCESS_SECONDS)
        except BaseException:
            with self:  # closes its pipes, and waits
                self.kill()
            raise


def forbid_prompts(session: botocore.session.Session) -> None:
    """Raise EOFError instead of asking for a second factor, as without a terminal."""

    def refuse(_prompt: str) -> str:
        raise EOFError

    chain = session.get_component("credential_provider")
    with contextlib.suppress(botocore.exceptions.UnknownCredentialError):
        chain.get_provider("assume-role")._prompter = refuse  # noqa: SLF001 - there is no public way


class _BestEffortCache(botocore.utils.JSONFileCache):  # type: ignore[misc] # botocore is untyped
    """A cache that ignores entries it cannot read or write."""

    def __contains__(self, key: str) -> bool:
        try:
            return isinstance(self[key], dict)
        except KeyError:
            return False

    def __setitem__(self, key: str, value: object) -> None:
        with contextlib.suppress(OSError):
            super().__setitem__(key, value)
