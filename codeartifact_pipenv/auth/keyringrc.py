"""The ``[codeartifact]`` sections of keyringrc.cfg, as keyrings.codeartifact 2 has them.

``[codeartifact]`` has defaults. A section ``[codeartifact domain="..." account="..." region="..."
name="..."]``, with any of these, applies to endpoints that match all of them, and the most specific
section wins. keyrings.codeartifact takes the closest section instead, even of another account.

Its keys are ``profile_name``, ``token_duration``, ``aws_access_key_id`` and
``aws_secret_access_key``; access keys override a profile, as they do there. Imported only if the file has
such a section.
"""

from __future__ import annotations

import configparser
import re
from typing import NamedTuple

from codeartifact_pipenv.aws.caller import AccessKeys, Caller, TokenRequest
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import ini_trouble
from codeartifact_pipenv.settings import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import RepositoryEndpoint

_DEFAULTS = "codeartifact"
_KEYS = frozenset({"profile_name", "token_duration", "aws_access_key_id", "aws_secret_access_key"})
_QUALIFIER = r"""\s+(domain|account|region|name)=(?:"([^"]*)"|'([^']*)'|([^\s"']+))(?=\s|$)"""
_BROKEN = "keyringrc-broken"


class Section(NamedTuple):
    """One section.

    Attributes:
        title: the text in its brackets.
        qualifiers: what an endpoint must match, or None if the title is invalid.
        values: its keys, completed by the defaults.
        own: the keys in the section itself.
    """

    title: str
    qualifiers: dict[str, str] | None
    values: dict[str, str]
    own: tuple[str, ...]

    def fits(self, endpoint: RepositoryEndpoint) -> bool:
        """Whether an endpoint matches the title."""
        has = {
            "domain": endpoint.domain.name,
            "account": endpoint.domain.owner,
            "region": endpoint.domain.region,
            "name": endpoint.repository,
        }
        return self.qualifiers is not None and all(has[k] == v for k, v in self.qualifiers.items())


class KeyringConfig:
    """The CodeArtifact sections of keyringrc.cfg.

    Args:
        data: the file's bytes.
        path: the file, for messages.

    Raises:
        ConfigurationError: it cannot be parsed.
    """

    def __init__(self, data: bytes, path: str) -> None:
        self.path = path
        parser = _parse(data, path)
        defaults = dict(parser.defaults())
        self.sections = [Section(_DEFAULTS, {}, defaults, tuple(defaults))]
        for title in parser.sections():
            if re.match(r"codeartifact(?:\s|$)", title):
                # The public items() merges the defaults.
                values = dict(parser.items(title))
                own = tuple(k for k, v in values.items() if defaults.get(k) != v)
                self.sections.append(Section(title, _qualifiers(title), values, own))

    def token_request(self, endpoint: RepositoryEndpoint) -> TokenRequest:
        """Return the request for an endpoint; the duration is -1 if unset.

        Raises:
            ConfigurationError: two equally specific sections differ, or a duration is
                invalid.
        """
        fitting = [section for section in self.sections if section.fits(endpoint)]
        most = max(len(section.qualifiers or ()) for section in fitting)
        first, *others = [s for s in fitting if len(s.qualifiers or ()) == most]
        for other in others:
            if _used_values(other) != _used_values(first):
                raise ConfigurationError(
                    f"[{first.title}] and [{other.title}] in {self.path} differ for "
                    f"{endpoint.domain}.",
                    "Remove one, or make it more specific: domain, account, region, name.",
                    "keyringrc-ambiguous",
                )
        values, origin = first.values, f"[{first.title}] in {self.path}"
        key_id, secret = values.get("aws_access_key_id"), values.get("aws_secret_access_key")
        keys = AccessKeys(key_id, secret) if key_id and secret else None
        profile = None if keys else values.get("profile_name") or None
        return TokenRequest(
            _duration(values.get("token_duration"), origin), Caller(profile, keys), origin
        )

    def unused(self) -> list[str]:
        """Return descriptions of what is ignored."""
        found = []
        for section in self.sections:
            if section.qualifiers is None:
                found.append(f"[{section.title}]: its title is invalid")
            found += [f"{key} in [{section.title}]" for key in section.own if key not in _KEYS]
            halves = {"aws_access_key_id", "aws_secret_access_key"}.difference(section.values)
            if len(halves) == 1:
                found.append(f"[{section.title}]: {halves.pop()} is missing; both keys are needed")
        return found


def _parse(data: bytes, path: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(
        inline_comment_prefixes=("#", ";"), default_section=_DEFAULTS
    )
    try:
        parser.read_string(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        trouble = "it is not UTF-8"
    except configparser.Error as error:
        trouble = ini_trouble(error)
    else:
        return parser
    raise ConfigurationError(
        f"{path} cannot be read: {trouble}.",
        "Correct it: its [codeartifact] sections set the AWS identity.",
        _BROKEN,
    ) from None


def _qualifiers(title: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    at = len(_DEFAULTS)
    rest = title.rstrip()
    while at < len(rest):
        match = re.compile(_QUALIFIER, re.IGNORECASE).match(rest, at)
        if match is None or match[1].lower() in found:
            return None
        found[match[1].lower()] = next(value for value in match.groups()[1:] if value is not None)
        at = match.end()
    return found


def _used_values(section: Section) -> dict[str, str]:
    return {key: value for key, value in section.values.items() if key in _KEYS and value}


def _duration(text: str | None, origin: str) -> int:
    if not text:
        return -1
    try:
        seconds = SETTINGS["duration"].read(text)
    except ValueError as error:
        raise ConfigurationError(
            f"token_duration of {origin} must be {error}, not {text!r}.",
            "Correct it, or set PIPENV_CA_DURATION.",
            _BROKEN,
        ) from None
    return seconds if isinstance(seconds, int) else -1
