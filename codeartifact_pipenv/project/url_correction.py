"""Corrections for URLs that look like a CodeArtifact repository's. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from codeartifact_pipenv.endpoint import parse_url

_REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}"
_CONSOLE = re.compile(
    rf"(?:(?P<first>{_REGION})\.)?console\.(?:aws\.amazon\.com|amazonaws[\w.]*)/codesuite/codeartifact"
    rf"/d/(?P<owner>[0-9]+)/(?P<domain>[\w-]+)/r/(?P<repository>[\w.-]+)"
)
_ARN = re.compile(
    rf"arn:aws[\w-]*:codeartifact:(?P<region>{_REGION}):(?P<owner>[0-9]+)"
    r":(?:repository|package)/(?P<domain>[\w-]+)/(?P<repository>[\w.-]+)"
)
_IN_QUERY = re.compile(rf"[?&]region=({_REGION})")
# Parts of a path other than the repository's name.
_NOT_NAMES = {"", "pypi", "npm", "maven", "nuget", "generic", "swift", "cargo", "ruby", "simple"}


class CorrectedUrl(NamedTuple):
    """The corrected form of a URL.

    Attributes:
        url: the URL of the index, without a login; unknown parts are words in capitals.
        unknown: the unknown parts as a phrase; '' if all are known.
    """

    url: str
    unknown: str

    @property
    def is_whole(self) -> bool:
        """Whether all parts are known and valid."""
        return not self.unknown and parse_url(self.url) is not None


def correct_url(url: str) -> CorrectedUrl | None:
    """Correct a URL without a login; return None if it names no domain.

    Args:
        url: the URL, variables expanded.
    """
    text = re.sub(r"\s+", "", url).replace("\\", "/")
    console = _CONSOLE.search(text)
    if console is not None:
        query = _IN_QUERY.search(text)
        region = console["first"] or (query[1] if query else "")
        return _form(console["domain"], console["owner"], region, console["repository"])
    arn = _ARN.search(text)
    if arn is not None:
        return _form(arn["domain"], arn["owner"], arn["region"], arn["repository"])
    host, _, path = re.sub(r"^[^:/]*:/*(?:[^@/]*@)?", "", text).partition("/")
    host = re.sub(r":[0-9]*$", "", host.lower()).rstrip(".")
    labels = host.split(".")
    # Also eu_west_1, and an availability zone such as eu-west-1a.
    spelt = (re.fullmatch(rf"({_REGION})[a-z]?", label.replace("_", "-")) for label in labels[1:])
    region = next((match[1] for match in spelt if match), "")
    names = [unquote(name) for name in re.split(r"[?#]", path)[0].split("/")]
    if labels[0].startswith("vpce-"):
        return _vpce_form(host, names)
    owner = r"(?P<owner>[0-9]{4}-[0-9]{4}-[0-9]{4}|[0-9]+)"
    match = re.fullmatch(rf"(?P<domain>[\w-]*?)-{owner}", labels[0])
    if match is None:
        return None
    while names and names[0].lower() in _NOT_NAMES:
        del names[0]
    repository = names[0] if names else ""
    digits = match["owner"].replace("-", "")
    is_dual = host.endswith(".on.aws")
    return _form(match["domain"], digits, region, repository, on_aws=is_dual)


def _form(
    domain: str, owner: str, region: str, repository: str, *, on_aws: bool = False
) -> CorrectedUrl:
    unknown = []
    domain = domain.lower().replace("_", "-")
    if len(owner) != 12:  # noqa: PLR2004 - an account number has 12 digits
        unknown.append(f"the account's 12 digits (it has {len(owner)})")
        owner = "ACCOUNT"
    if not region:
        unknown.append("the region")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,48}[a-z0-9]", domain):
        unknown.append("the domain's name")
        domain = "DOMAIN"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,99}", repository):
        unknown.append("the repository's name")
        repository = "REPOSITORY"
    place = region or "REGION"
    end = f"codeartifact.{place}.on.aws" if on_aws else f"d.codeartifact.{place}.amazonaws.com"
    path = f"pypi/{repository}/simple/"
    return CorrectedUrl(f"https://{domain}-{owner}.{end}/{path}", " and ".join(unknown))


def _vpce_form(host: str, names: list[str]) -> CorrectedUrl:
    at = next((n for n, name in enumerate(names) if re.fullmatch(r".+-[0-9]{12}", name)), None)
    domain = names[at] if at is not None else "DOMAIN-ACCOUNT"
    rest = (
        [n for n in names[(at or 0) + 1 :] if n.lower() not in _NOT_NAMES] if at is not None else []
    )
    unknown = [] if at is not None else ["the domain and its account"]
    unknown += [] if rest else ["the repository's name"]
    path = f"pypi/d/{domain}/{rest[0] if rest else 'REPOSITORY'}/simple/"
    return CorrectedUrl(f"https://{host}/{path}", " and ".join(unknown))
