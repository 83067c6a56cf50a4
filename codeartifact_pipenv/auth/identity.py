"""Fingerprint of the AWS identity, so that one identity never gets another's token.

Importing botocore takes longer than the rest of a warm start. Instead, this module hashes everything
that botocore reads to find the identity (botocore.credentials, "configuration and credential file
settings" of the AWS CLI user guide). An irrelevant change costs one call to AWS; a missing input would
give out another identity's token.
"""

from __future__ import annotations

import os

from codeartifact_pipenv.files.reading import read_bytes, read_text
from codeartifact_pipenv.files.writing import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    _Section = tuple[str, str]

# AWS_ variables that do not select the identity: secrets (the key id does), output, details of calls.
_IRRELEVANT = frozenset(
    {
        "AWS_CA_BUNDLE",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_DEFAULT_OUTPUT",
        "AWS_DEFAULT_REGION",
        "AWS_DEFAULTS_MODE",
        "AWS_EXECUTION_ENV",
        "AWS_MAX_ATTEMPTS",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
        "AWS_METADATA_SERVICE_TIMEOUT",
        "AWS_PAGER",
        "AWS_REGION",
        "AWS_RETRY_MODE",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_EXPIRATION",
        "AWS_SESSION_TOKEN",
        "AWS_STS_REGIONAL_ENDPOINTS",
    }
)
_SECRET_KEYS = frozenset({"aws_secret_access_key", "aws_session_token", "aws_security_token"})
_UNREADABLE = ("", "\0unreadable")
# A profile may name another one to start from, an SSO session, or a set of endpoints.
_REFERENCES = {"source_profile": "profile", "sso_session": "sso-session", "services": "services"}


def fingerprint(environ: Mapping[str, str], profile: str | None) -> list[object]:
    """Return everything that selects the identity, as JSON-able data.

    Args:
        environ: the environment that botocore would see.
        profile: the requested profile, or None for the environment's.
    """
    variables = sorted(
        (name, value)
        for name, value in environ.items()
        if name.startswith("AWS_") and name not in _IRRELEVANT
    )
    # botocore prefers AWS_DEFAULT_PROFILE.
    name = profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
    # Instance and container roles belong to the machine; a home may be shared by several.
    return [profile, variables, _profile_chain(environ, name), _legacy(environ), _machine()]


def _profile_chain(environ: Mapping[str, str], name: str) -> list[object]:
    config = _sections(environ.get("AWS_CONFIG_FILE") or "~/.aws/config", _config_section)
    path = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    credentials = _sections(path, lambda title: ("profile", title))
    chain: list[object] = []
    pending, seen = [("profile", name)], set()
    while pending:
        kind, wanted = pending.pop()
        if (kind, wanted) in seen:
            continue
        seen.add((kind, wanted))
        values = [*config.get((kind, wanted), ()), *credentials.get((kind, wanted), ())]
        chain.append([kind, wanted, *values])
        for line in values:
            key, _, value = line.partition("=")
            if key in _REFERENCES:
                pending.append((_REFERENCES[key], value))
    return [*chain, config.get(_UNREADABLE, ()), credentials.get(_UNREADABLE, ())]


def _sections(path: str, named: Callable[[str], _Section]) -> dict[_Section, list[str]]:
    """Return the lines of each section of a file, by its kind and name."""
    path = os.path.expanduser(os.path.expandvars(path))
    try:
        if os.stat(path).st_size == 0:
            return {}
    except OSError:
        return {}  # most CI jobs do not have one
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_text(path))
    except (OSError, ValueError, configparser.Error):
        # botocore will report the error; the bytes still distinguish identities.
        return {_UNREADABLE: [_digest(path)]}
    found: dict[_Section, list[str]] = {}
    for title in parser.sections():
        lines = [f"{k}={v}" for k, v in parser.items(title) if k not in _SECRET_KEYS]
        found.setdefault(named(title), []).extend(lines)
    return found


def _config_section(title: str) -> _Section:
    """Return the kind and the name of a section as botocore.configloader reads its title."""
    if title == "default":
        return "profile", title
    kind = next((kind for kind in _REFERENCES.values() if title.startswith(kind)), "")
    if title.isascii() and title.isprintable() and not {*title} & {*"\"'\\"}:
        words = title.split()
    else:
        import shlex

        try:
            words = shlex.split(title)
        except ValueError:
            words = []
    return (kind, words[1]) if len(words) == 2 else ("", title)  # noqa: PLR2004 - kind and name


def _digest(path: str) -> str:
    try:
        return digest(read_bytes(path))
    except OSError:
        return ""


def _legacy(environ: Mapping[str, str]) -> list[str]:
    # The files of boto 2, which botocore reads after all others (BotoProvider).
    named = environ.get("BOTO_CONFIG")
    paths = ["/etc/boto.cfg", "~/.boto"] if named is None else [named]
    return [_digest(os.path.expanduser(path)) for path in paths]


def _machine() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
