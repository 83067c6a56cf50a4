"""Generated URLs that resemble real hosts: only CodeArtifact hosts get a token."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import random
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
import urllib3
from property.test_endpoint import is_codeartifact

from codeartifact_pipenv.auth.backend import CodeArtifactBackend
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.sources import (
    assign_variables,
    login_of,
    read_source,
    without_credentials,
)
from codeartifact_pipenv.wrapper.plan import direct_environment, proxy_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.endurance

SHORT, FULL = 5_000, 100_000
SEED = 20_260_901
OWNER, REGION, DOMAIN = "123456789012", "eu-west-1", "my-dom"
IPV4 = f"{DOMAIN}-{OWNER}.d.codeartifact.{REGION}.amazonaws.com"
DUAL = f"{DOMAIN}-{OWNER}.codeartifact.{REGION}.on.aws"
VPCE = f"vpce-0a1b2c3d4e5f-abcdefgh.d.codeartifact.{REGION}.vpce.amazonaws.com"
PLACES = (
    (IPV4, "/pypi/team/simple/"),
    (IPV4, "/pypi/team/"),
    (DUAL, "/pypi/team/simple/"),
    (VPCE, f"/pypi/d/{DOMAIN}-{OWNER}/team/simple/"),
)
EVIL = "evil.example"


def right_host(url: str) -> str | None:
    """Return the host of a URL that may get a token by an independent parser, or None."""
    if "[" in url or "]" in url or not is_codeartifact(url):
        return None
    authority = re.split("[/?#]", url.partition("://")[2])[0]
    return authority.rpartition("@")[2].partition(":")[0].lower()


# Cyrillic; dotless i; the Kelvin sign, whose lower case is k; the long s; full width, which NFKC makes
# ASCII; a dot for IDNA.
LOOKS_LIKE = str.maketrans(
    "aceikosm./@:-",
    "\u0430\u0441\u0435\u0131\u212a\u03bf\u017f\uff4d\u3002\uff0f\uff20\uff1a\u2010",
)
INVISIBLE = "\u00ad\u200b\u200d\u2060\ufeff\u202e\n\r\t\0 \x0b\x0c\x85\u2028\x7f"


Parts = dict[str, str]

# For a part of a URL, other texts: {0} is the part, {1} another host.
FORMS = {
    "suffix": ("host", "{0}.{1}|{0}-{1}|{0}.cn|{0}x|{0}.|{0}..|{0}.localhost|{0}%2e{1}"),
    "prefix": ("host", "evil{0}|evil.{0}|x-{0}|-{0}|.{0}|1{0}|xn--{0}|{1}/{0}"),
    "before_at": ("host", "{0}@{1}|{0}:443@{1}|{1}@{0}|{1}/@{0}|{1}#@{0}|{1}?@{0}|a@{1}@{0}"),
    "login": ("host", "aws:a/{1}@{0}|aws:x@{0}@{1}|aws:%40evil@{0}|aws@{1}:@{0}|{1}\\@{0}"),
    "backslash": ("host", r"{1}\@{0}|{1}\.{0}|{0}\.{1}|{1}\{0}"),
    "ipv6": ("host", "[::1]|[{0}]|[::1]{0}|[::1%25{0}]|[v1.{0}]|{0}[|[::ffff:1.2.3.4]"),
    "address": ("host", "127.0.0.1|0x7f.1|2130706433|169.254.169.254|1.2.3.4.nip.io"),
    "port": ("port", ":|:443|:0443|:80|:444|:8443|:0|:65536|:-1|:443x|:4 43|:\u0664\u0664\u0663"),
    "scheme": ("scheme", "http|ftp|git+https|file|https:https||httpss|HTTPS|//"),
    "path": ("path", "/|/pypi|/pypi/|/pypi/x|/npm/team/|//pypi/team/|/pypi//team/|/PYPI/team/"),
    "repository": ("path", "/pypi/te@am/|/pypi/../team/|/pypi/team/../../x/|/pypi/-team/|@{1}{0}"),
    "query": ("path", "/pypi/team|/pypi/team?x=1|/pypi/team#f|?/pypi/team/|{0}orb-common/"),
    "length": ("path", f"/pypi/{'a' * 100}/|/pypi/{'a' * 101}/|/pypi/d/{DOMAIN}-{OWNER}/team/"),
}


def one_character(r: random.Random, p: Parts) -> None:
    part = r.choice([name for name in p if p[name]])
    at = r.randrange(len(p[part]))
    old = p[part][at]
    others = [old.translate(LOOKS_LIKE), f"%{ord(old):02x}", old.upper(), old + r.choice(INVISIBLE)]
    p[part] = p[part][:at] + r.choice(others) + p[part][at + 1 :]


OTHER_NAMES = [
    *((OWNER, OWNER[1:]), (OWNER, "0" + OWNER), (OWNER, "\u0661" + OWNER[1:])),
    *((f"{DOMAIN}-", "-"), (f"{DOMAIN}-", "a-"), (DOMAIN, f"{DOMAIN}-"), (DOMAIN, "1dom")),
    *((DOMAIN, "a" * 50), (DOMAIN, "a" * 51), (REGION, "eu-west"), (REGION, "us-gov-west-1")),
    *((REGION, "eu-west-100"), (REGION, f"{EVIL}-1"), (".codeartifact.", "-codeartifact.")),
    *((".amazonaws.com", ".amazonaws.com.cn"), (".amazonaws.com", ".amazonaws.co")),
    *((".on.aws", ".aws"), (".d.", "."), ("vpce-", "vpce")),
]


def other_names(r: random.Random, p: Parts) -> None:
    old, new = r.choice(OTHER_NAMES)
    for part in ("host", "path"):
        p[part] = p[part].replace(old, new)


WAYS = ["character", "character", "character", "names", *FORMS]


def altered(r: random.Random) -> tuple[str, str]:
    """Return a URL with up to three mutations, and their names."""
    host, path = r.choice(PLACES)
    login = r.choice(["", "", "aws@", "aws:x@", "aws:${CODEARTIFACT_AUTH_TOKEN}@"])
    parts = {"scheme": "https", "login": login, "host": host, "port": "", "path": path}
    ways = r.sample(WAYS, r.choice([0, 1, 1, 1, 2, 3]))
    for way in ways:
        if way == "character":
            one_character(r, parts)
        elif way == "names":
            other_names(r, parts)
        else:
            part, forms = FORMS[way]
            parts[part] = r.choice(forms.split("|")).format(parts[part], EVIL)
    return "{scheme}://{login}{host}{port}{path}".format(**parts), str(ways)


class Target(NamedTuple):
    """Where a client connects."""

    scheme: str
    host: str
    port: int


def by_requests(url: str) -> Target:
    prepared = requests.Request("GET", url).prepare().url or ""
    adapter = requests.adapters.HTTPAdapter()
    host, _ = adapter.build_connection_pool_key_attributes(
        requests.Request("GET", prepared).prepare(), verify=True
    )
    return Target(str(host["scheme"]), str(host["host"]), int(host["port"] or 443))


def by_parser(parse: Callable[[str], Any]) -> Callable[[str], Target]:
    def read(url: str) -> Target:
        found = parse(url)
        return Target(found.scheme or "", found.host or "", found.port or 443)

    return read


class _Connection(http.client.HTTPConnection):
    """Parses host and port like HTTPSConnection, without loading certificates."""

    default_port = 443


def by_standard_library(url: str) -> Target:
    parts = urlsplit(url)
    connection = _Connection(parts.netloc.rpartition("@")[2])
    return Target(parts.scheme, connection.host.lower(), connection.port)


def clients() -> dict[str, Callable[[str], Target]]:
    """Return the URL parsers of the installed clients, including pip's bundled ones."""
    found = {
        "requests": by_requests,
        "urllib3": by_parser(urllib3.util.parse_url),
        "http.client": by_standard_library,
    }
    for owner in ("pip._vendor", "pipenv.patched.pip._vendor"):
        with contextlib.suppress(ModuleNotFoundError):
            module = importlib.import_module(f"{owner}.urllib3.util.url")
            found[f"{owner.partition('.')[0]}'s urllib3"] = by_parser(module.parse_url)
    return found


@pytest.fixture(scope="module")
def urls(size: Callable[[int, int], int]) -> list[tuple[str, str]]:
    generator = random.Random(SEED)  # noqa: S311 - must be repeatable
    return [altered(generator) for _ in range(size(SHORT, FULL))]


def test_every_client_connects_to_the_host_that_an_independent_matcher_accepts(
    urls: list[tuple[str, str]],
) -> None:
    asked = clients()
    assert len(asked) >= 4
    taken = 0
    known: set[str] = set()
    for url, how in urls:
        endpoint, right = parse_url(url), right_host(url)
        assert (endpoint.host if endpoint else None) == right, (how, url)
        if endpoint is None:
            continue
        taken += 1
        forms = {url, endpoint.url, endpoint.simple_url, without_credentials(url)} - known
        known |= forms
        for form in forms:
            for name, look in asked.items():
                seen = look(form)
                where = Target(seen.scheme.lower(), seen.host.lower(), seen.port)
                assert where == Target("https", endpoint.host, 443), (name, how, form)
    assert len(urls) / 20 < taken < len(urls) / 2


def services(url: str) -> Iterator[str]:
    """Yield the services that a client may ask keyring for: URL, authority and host."""
    yield url
    authority = url.partition("://")[2].partition("/")[0]
    yield authority
    yield authority.rpartition("@")[2]


def test_keyring_answers_only_for_codeartifact_hosts(
    urls: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEARTIFACT_AUTH_TOKEN", "a-ready-one")
    backend = CodeArtifactBackend()  # type: ignore[no-untyped-call] # keyring's own __init__
    for url, how in urls:
        for service in services(url):
            password = backend.get_password(service, "aws")
            right = right_host(service) if "/" in service else right_bare_host(service)
            assert password == (None if right is None else "a-ready-one"), (how, service)


def right_bare_host(service: str) -> str | None:
    # As in a URL, except that a VPC endpoint's host does not name the domain.
    if any(mark in service for mark in "/?#"):
        return None
    host = right_host(f"https://{service}/pypi/team/")
    return None if host is None or host.startswith("vpce-") else host


def test_only_codeartifact_urls_in_a_pipfile_get_a_token(urls: list[tuple[str, str]]) -> None:
    for url, how in urls:
        source = read_source("s", url, "Pipfile", {})
        right = right_host(re.sub(r":\$\{[^}]*\}@", ":x@", url))
        assert (source.endpoint.host if source.endpoint else None) == right, (how, url)
        try:
            assigned = assign_variables([source])
        except ConfigurationError:
            # A valid URL whose whole password is the variable is never refused.
            assert right is None or source.variable != "CODEARTIFACT_AUTH_TOKEN", (how, url)
            continue
        assert right is not None or "${CODEARTIFACT_AUTH_TOKEN}" not in url, (how, url)
        child = direct_environment([source], assigned)
        assert bool(child.domains()) == (right is not None), (how, url)
        assert proxy_environment(assigned, set()).domains() == []
        for host in child.netrc:
            assert host == right


def test_logins_in_a_netrc_file_are_one_line(urls: list[tuple[str, str]]) -> None:
    for url, how in urls:
        found = login_of(url)
        if found is not None:
            host, (username, password) = found
            for word in (host, username, password):
                assert word, (how, url)
                assert word.isprintable(), (how, url)
                assert not set(word) & set(" \"'\\#"), (how, url)
