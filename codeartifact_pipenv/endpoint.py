"""Where a CodeArtifact repository is: parse, format and match its addresses. Pure.

The three shapes of host, and the rules for names, are those of the AWS user guide
("Configure pip", "Use CodeArtifact from a VPC") and of botocore's service model:

========== ==========================================================================
ipv4       ``https://DOMAIN-OWNER.d.codeartifact.REGION.amazonaws.com/pypi/REPOSITORY/``
dualstack  ``https://DOMAIN-OWNER.codeartifact.REGION.on.aws/pypi/REPOSITORY/``
vpce       ``https://vpce-ID.d.codeartifact.REGION.vpce.amazonaws.com/pypi/d/DOMAIN-OWNER/REPOSITORY/``
========== ==========================================================================

A host matches in full or not at all, over https and port 443 only: whatever matches may
be sent a token.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_DOMAIN = r"(?P<domain>[a-z][a-z0-9-]{0,48}[a-z0-9])"
_OWNER = r"(?P<owner>[0-9]{12})"
_REGION = r"(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2})"
_REPOSITORY = r"(?P<repository>[A-Za-z0-9][A-Za-z0-9._-]{1,99})"

# As text: most processes do not use all of them, so they are compiled on first use.
_HOSTS = (
    ("ipv4", rf"{_DOMAIN}-{_OWNER}\.d\.codeartifact\.{_REGION}\.amazonaws\.com"),
    ("dualstack", rf"{_DOMAIN}-{_OWNER}\.codeartifact\.{_REGION}\.on\.aws"),
    ("vpce", rf"vpce-[0-9a-z-]+\.d\.codeartifact\.{_REGION}\.vpce\.amazonaws\.com"),
)
_PATH = rf"/pypi/{_REPOSITORY}(?:/.*)?"
_VPCE_PATH = rf"/pypi/d/{_DOMAIN}-{_OWNER}/{_REPOSITORY}(?:/.*)?"


class Domain(NamedTuple):
    """The scope of an authorization token: one token serves all repositories of a domain.

    Attributes:
        name: the domain's name.
        owner: the 12-digit account that owns it.
        region: the AWS region, such as ``eu-west-1``.
    """

    name: str
    owner: str
    region: str

    def __str__(self) -> str:
        return f"{self.name} (account {self.owner}, {self.region})"


class RepositoryEndpoint(NamedTuple):
    """One repository of a domain, as a client addresses it.

    Attributes:
        domain: the domain that it belongs to.
        repository: its name, or None if only the host is known, as in the second look-up of
            keyring clients.
        kind: ``ipv4``, ``dualstack`` or ``vpce``.
        host: the host name, lower case.
    """

    domain: Domain
    repository: str | None
    kind: str
    host: str

    @property
    def url(self) -> str:
        """The repository's own URL with a final slash: what uploads use.

        Raises:
            ValueError: no repository is named.
        """
        if self.repository is None:
            raise ValueError("a host alone has no repository URL")
        where = f"d/{self.domain.name}-{self.domain.owner}/" if self.kind == "vpce" else ""
        return f"https://{self.host}/pypi/{where}{self.repository}/"

    def is_same(self, other: RepositoryEndpoint) -> bool:
        """Whether another endpoint leads to the same repository, by whichever host."""
        return (self.domain, self.repository) == (other.domain, other.repository)

    @property
    def simple_url(self) -> str:
        """The index URL of the simple API, with its final slash and without credentials."""
        return f"{self.url}simple/"


def parse_url(url: str) -> RepositoryEndpoint | None:
    """Read a repository endpoint from an index, upload or file URL.

    Userinfo in the URL is ignored.

    Returns:
        None if the URL does not match exactly: another scheme or port, a similar host, an
        invalid name.
    """
    parts = _split(url)
    if parts is None:
        return None
    found = _match_host(parts.hostname or "")
    if found is None:
        return None
    kind, match = found
    if kind == "vpce":
        path = re.fullmatch(_VPCE_PATH, parts.path, re.DOTALL)
        names = path
    else:
        path = re.fullmatch(_PATH, parts.path, re.DOTALL)
        names = match
    if path is None or names is None:
        return None
    domain = Domain(names["domain"], names["owner"], match["region"])
    return RepositoryEndpoint(domain, path["repository"], kind, match.string)


def parse_host(host: str) -> RepositoryEndpoint | None:
    """Read the domain from a bare host name, optionally with userinfo and ``:443``.

    Returns:
        None if the host does not match, or is a VPC endpoint, which does not name the
        domain.
    """
    if any(mark in host for mark in "/?#"):
        return None
    parts = _split(f"https://{host}")
    found = None if parts is None else _match_host(parts.hostname or "")
    if found is None or found[0] == "vpce":
        return None
    kind, match = found
    domain = Domain(match["domain"], match["owner"], match["region"])
    return RepositoryEndpoint(domain, None, kind, match.string)


def is_host(host: str) -> bool:
    """Whether a bare host name is CodeArtifact's, also where it does not say which domain."""
    return _match_host(host) is not None


def _split(url: str) -> SplitResult | None:
    # urlsplit strips control characters and tabs; reject such URLs before it does.
    if not _is_plain(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme == "https" and port in {None, 443} else None


def _is_plain(url: str) -> bool:
    # Until Python 3.11 urlsplit accepts any name in brackets as a host.
    return url.isascii() and not any(c <= " " or c in "\\[]\x7f" for c in url)


def _match_host(hostname: str) -> tuple[str, re.Match[str]] | None:
    for kind, pattern in _HOSTS:
        match = re.fullmatch(pattern, hostname.lower())
        if match:
            return kind, match
    return None


def explain_mismatch(url: str) -> str | None:
    """Explain why a URL that looks like CodeArtifact is not accepted.

    Returns:
        A clause such as ``it is http, not https``, or None if the URL is valid or not
        similar.
    """
    if parse_url(url) is not None:
        return None
    if "/codesuite/codeartifact/" in url.lower():
        return "it is a page of the AWS console, not an index"
    if re.search(
        r"://(?:[^/@]*@)?codeartifact\.[a-z0-9-]+\.(?:amazonaws\.com|api\.aws)", url.lower()
    ):
        return "it is the address of AWS's API, not of an index"
    if ".codeartifact." not in url.lower():
        is_near = re.search(r"-[0-9]{12}\.(?:d\.)?[a-z0-9-]+\.amazonaws\.com/pypi/", url.lower())
        return "its host lacks the word codeartifact" if is_near else None
    try:
        parts = urlsplit(url)
        hostname, port = parts.hostname or "", parts.port
    except ValueError:
        return "its host or port cannot be read"
    return _mismatch_reason(url, parts.scheme, hostname, port)


def _mismatch_reason(url: str, scheme: str, hostname: str, port: int | None) -> str | None:
    if ".codeartifact." not in hostname:
        return None
    if scheme != "https":
        return f"it is {scheme}, not https"
    if port not in {None, 443}:
        return f"its port is {port}, not 443"
    if not _is_plain(url):
        return "it contains a space, a backslash or an unusual character"
    owner = re.match(r".+-([0-9]+)\.(?:d\.)?codeartifact\.", hostname)
    if owner and len(owner[1]) != 12:  # noqa: PLR2004 - an account number has 12 digits
        return f"its account number has {len(owner[1])} digits, not 12"
    if _match_host(hostname) is None:
        return "its host has none of the three forms that CodeArtifact uses"
    return "its path names no repository: it should be /pypi/REPOSITORY/simple/"
