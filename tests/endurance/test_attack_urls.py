"""Generated URLs that resemble real hosts: only CodeArtifact hosts get a token.

An independent matcher, written after the AWS user guide's pages on endpoints, decides which URLs
are valid. The parsers of clients decide where a client would connect.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import random
import re
import string
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
import urllib3
from requests.utils import get_netrc_auth

from codeartifact_pipenv.auth.backend import CodeArtifactBackend
from codeartifact_pipenv.endpoint import parse_host, parse_url
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
    from pathlib import Path

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

LOWER, DIGITS = set(string.ascii_lowercase), set(string.digits)
NAME_CHARACTERS = LOWER | set(string.ascii_uppercase) | DIGITS | set("._-")


class Reader:
    """Reads a text from its beginning."""

    def __init__(self, text: str) -> None:
        self.rest = list(text)

    def take(self, word: str) -> bool:
        """Read a word if it comes next."""
        for at, character in enumerate(word):
            if at >= len(self.rest) or self.rest[at] != character:
                return False
        del self.rest[: len(word)]
        return True

    def until(self, ends: str) -> str:
        """Read up to, but not including, one of some characters."""
        found = ""
        while self.rest and self.rest[0] not in ends:
            found += self.rest.pop(0)
        return found


def lowered(text: str) -> str:
    """Return a text with only ASCII letters lower-cased."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def is_domain(text: str) -> bool:
    good = 2 <= len(text) <= 50 and text[0] in LOWER and text[-1] in LOWER | DIGITS
    return good and all(c in LOWER | DIGITS or c == "-" for c in text)


def is_domain_and_owner(text: str) -> bool:
    owner = text[-12:]
    return (
        len(text) > 13
        and text[-13] == "-"
        and len(owner) == 12
        and all(c in DIGITS for c in owner)
        and is_domain(text[:-13])
    )


def is_region(text: str) -> bool:
    parts = text.split("-")
    return (
        len(parts) >= 3
        and len(parts[0]) == 2
        and all(part and all(c in LOWER for c in part) for part in parts[:-1])
        and 1 <= len(parts[-1]) <= 2
        and all(c in DIGITS for c in parts[-1])
    )


def kind_of(host: str) -> str | None:
    labels = host.split(".")
    match labels:
        case [first, "d", "codeartifact", region, "amazonaws", "com"]:
            return "ipv4" if is_domain_and_owner(first) and is_region(region) else None
        case [first, "codeartifact", region, "on", "aws"]:
            return "dualstack" if is_domain_and_owner(first) and is_region(region) else None
        case [first, "d", "codeartifact", region, "vpce", "amazonaws", "com"]:
            name = Reader(first)
            prefixed = name.take("vpce-") and bool(name.rest)
            plain = all(c in LOWER | DIGITS or c == "-" for c in name.rest)
            return "vpce" if prefixed and plain and is_region(region) else None
        case _:
            return None


def right_host(url: str) -> str | None:
    """Return the host of a URL that may get a token, or None."""
    if any(not "!" <= c <= "~" or c in "\\[]" for c in url):
        return None
    reader = Reader(url)
    if lowered(reader.until(":")) != "https" or not reader.take("://"):
        return None
    authority = reader.until("/?#")
    host, port = authority.split("@")[-1], ""
    if ":" in host:
        host, port = host.split(":", 1)
        if port and (any(c not in DIGITS for c in port) or int(port) != 443):
            return None
    kind = kind_of(lowered(host))
    parts = reader.until("?#").split("/")
    if kind is None or parts[:2] != ["", "pypi"]:
        return None
    if kind == "vpce":
        if parts[2:3] != ["d"] or not is_domain_and_owner("".join(parts[3:4])):
            return None
        del parts[2:4]
    name = parts[2] if len(parts) > 2 else ""
    good = 2 <= len(name) <= 100 and name[0] not in "._-"
    return lowered(host) if good and all(c in NAME_CHARACTERS for c in name) else None


LOOKS_LIKE = {
    "a": "\u0430",  # Cyrillic
    "c": "\u0441",
    "e": "\u0435",
    "i": "\u0131",
    "k": "\u212a",  # the Kelvin sign, whose lower case is k
    "o": "\u03bf",
    "s": "\u017f",  # the long s, whose upper case is S
    "m": "\uff4d",  # full width: NFKC makes it m
    ".": "\u3002",  # IDNA takes it for a dot
    "/": "\uff0f",
    "@": "\uff20",
    ":": "\uff1a",
    "-": "\u2010",
}
INVISIBLE = "\u00ad\u200b\u200d\u2060\ufeff\u202e"
BREAKS = ("\n", "\r", "\t", "\r\n", "\0", " ", "\x0b", "\x0c", "\x85", "\u2028", "\x7f")


class Generator:
    """Generates valid URLs and mutations of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - must be repeatable

    def url(self) -> tuple[str, str]:
        """Return a URL and the names of its mutations."""
        pick = self.random.choice
        host, path = pick(PLACES)
        userinfo = pick(["", "", "aws@", "aws:x@", "aws:${CODEARTIFACT_AUTH_TOKEN}@"])
        parts = {"scheme": "https", "userinfo": userinfo, "host": host, "port": "", "path": path}
        ways = self.random.sample(WAYS, pick([0, 1, 1, 1, 2, 3]))
        for way in ways:
            way(self.random, parts)
        url = "{scheme}://{userinfo}{host}{port}{path}".format(**parts)
        return url, "+".join(way.__name__ for way in ways) or "as_it_is"


def suffix(r: random.Random, p: dict[str, str]) -> None:
    p["host"] += r.choice(
        [f".{EVIL}", f"-{EVIL}", ".cn", "x", ".", "..", ".localhost", f"%2e{EVIL}"]
    )


def prefix(r: random.Random, p: dict[str, str]) -> None:
    p["host"] = r.choice(["evil", "evil.", "x-", "-", ".", "1", "xn--", f"{EVIL}/"]) + p["host"]


def userinfo(r: random.Random, p: dict[str, str]) -> None:
    real = p["host"]
    forms = (
        "{0}@ {1}|{0}:443@ {1}|{1}@ {0}|{1}/@ {0}|{1}#@ {0}|{1}?@ {0}|{1}\\@ {0}|a@{1}@ {0}"
        "|aws:a/{1}@ {0}|aws:x@{0}@ {1}|aws:%40evil@ {0}|aws@{1}:@ {0}"
    )
    form = r.choice(forms.split("|")).split(" ")
    p["userinfo"], p["host"] = (part.format(real, EVIL) for part in form)


def backslash(r: random.Random, p: dict[str, str]) -> None:
    form = r.choice([r"{0}\@{1}", r"{0}\.{1}", r"{1}\.{0}", r"{0}\{1}"])
    p["host"] = form.format(EVIL, p["host"])


def look_alike(r: random.Random, p: dict[str, str]) -> None:
    part = r.choice(["host", "host", "path", "scheme"])
    places = [at for at, c in enumerate(p[part]) if c in LOOKS_LIKE]
    if places:
        at = r.choice(places)
        p[part] = p[part][:at] + LOOKS_LIKE[p[part][at]] + p[part][at + 1 :]


def punycode(r: random.Random, p: dict[str, str]) -> None:
    places = [n for n, c in enumerate(p["host"]) if c in LOOKS_LIKE and c != "."]
    if not places:
        return
    at = r.choice(places)
    label = p["host"][:at] + LOOKS_LIKE[p["host"][at]] + p["host"][at + 1 :]
    p["host"] = ".".join(
        part if part.isascii() else "xn--" + part.encode("punycode").decode()
        for part in label.split(".")
    )


def invisible(r: random.Random, p: dict[str, str]) -> None:
    insert(r, p, r.choice(INVISIBLE))


def line_break(r: random.Random, p: dict[str, str]) -> None:
    insert(r, p, r.choice(BREAKS))


def insert(r: random.Random, p: dict[str, str], text: str) -> None:
    part = r.choice(["scheme", "userinfo", "host", "host", "port", "path"])
    at = r.randint(0, len(p[part]))
    p[part] = p[part][:at] + text + p[part][at:]


def other_port(r: random.Random, p: dict[str, str]) -> None:
    numbers = "|443|0443|80|444|8443|0|65536|-1|443x|4 43|\u0664\u0664\u0663"
    p["port"] = ":" + r.choice(numbers.split("|"))


def percent(r: random.Random, p: dict[str, str]) -> None:
    part = r.choice([name for name in ("host", "path") if p[name]])
    at = r.randrange(len(p[part]))
    code = f"%{ord(p[part][at]):02{r.choice('xX')}}"
    p[part] = p[part][:at] + code + p[part][at + 1 :]


def ipv6(r: random.Random, p: dict[str, str]) -> None:
    real = p["host"]
    forms = "[::1] [{0}] [::1]{0} [::1%25{0}] [v1.{0}] {0}[ [::ffff:1.2.3.4]"
    p["host"] = r.choice(forms.split()).format(real)


def address(r: random.Random, p: dict[str, str]) -> None:
    p["host"] = r.choice(["127.0.0.1", "0x7f.1", "2130706433", "169.254.169.254", "1.2.3.4.nip.io"])


def upper_case(r: random.Random, p: dict[str, str]) -> None:
    part = r.choice(["scheme", "host", "path"])
    p[part] = "".join(r.choice([c, c.upper()]) for c in p[part])


def other_scheme(r: random.Random, p: dict[str, str]) -> None:
    p["scheme"] = r.choice(
        ["http", "ftp", "git+https", "file", "https:https", "", "httpss", "HTTPS", "//"]
    )


def other_path(r: random.Random, p: dict[str, str]) -> None:
    paths = (
        "|/|/pypi|/pypi/|/pypi/x|/npm/team/|//pypi/team/|/pypi//team/|/PYPI/team/|/pypi/team|/pypi/te@am/"
        "|/pypi/../team/|/pypi/team/../../x/|/pypi/team?x=1|/pypi/team#f|/pypi/-team/|?/pypi/team/"
    )
    more = [f"@{EVIL}/pypi/team/", f"/pypi/{'a' * 100}/", f"/pypi/{'a' * 101}/"]
    p["path"] = r.choice([*paths.split("|"), *more, f"/pypi/d/{DOMAIN}-{OWNER}/team/"])


def other_names(r: random.Random, p: dict[str, str]) -> None:
    old, new = r.choice(
        [
            (OWNER, OWNER[1:]),
            (OWNER, "0" + OWNER),
            (OWNER, "\u0661" + OWNER[1:]),
            (f"{DOMAIN}-", "-"),
            (f"{DOMAIN}-", "a-"),
            (DOMAIN, "a" * 50),
            (DOMAIN, "a" * 51),
            (DOMAIN, f"{DOMAIN}-"),
            (DOMAIN, "1dom"),
            (REGION, "eu-west"),
            (REGION, "us-gov-west-1"),
            (REGION, "eu-west-100"),
            (REGION, f"{EVIL}-1"),
            (".codeartifact.", "-codeartifact."),
            (".amazonaws.com", ".amazonaws.com.cn"),
            (".amazonaws.com", ".amazonaws.co"),
            (".on.aws", ".aws"),
            (".d.", "."),
            ("vpce-", "vpce"),
        ]
    )
    for part in ("host", "path"):
        p[part] = p[part].replace(old, new)


def no_change(_r: random.Random, p: dict[str, str]) -> None:
    p["path"] += "orb-common/"


WAYS: list[Callable[[random.Random, dict[str, str]], None]] = [
    *(suffix, prefix, userinfo, backslash, look_alike, punycode, invisible, line_break, other_port),
    *(percent, ipv6, address, upper_case, other_scheme, other_path, other_names, no_change),
]


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
    generator = Generator(SEED)
    return [generator.url() for _ in range(size(SHORT, FULL))]


def test_parse_url_agrees_with_an_independent_matcher(
    urls: list[tuple[str, str]], figure: Callable[[str, str], None]
) -> None:
    taken = 0
    for url, how in urls:
        found, right = parse_url(url), right_host(url)
        assert (found.host if found else None) == right, (how, url)
        taken += found is not None
    ways = {way for _, how in urls for way in how.split("+")}
    assert ways == {"as_it_is", *(way.__name__ for way in WAYS)}
    assert len(urls) / 20 < taken < len(urls) / 2
    figure(
        "URLs: read by us and by an independent matcher", f"{len(urls)}, {taken} right, 0 differ"
    )


def test_every_client_connects_to_the_matched_host(
    urls: list[tuple[str, str]], figure: Callable[[str, str], None]
) -> None:
    asked = clients()
    assert len(asked) >= 4
    compared = 0
    known: set[str] = set()
    for url, how in urls:
        endpoint = parse_url(url)
        if endpoint is None:
            continue
        forms = {url, endpoint.url, endpoint.simple_url, without_credentials(url)} - known
        known |= forms
        for form in forms:
            for name, look in asked.items():
                seen = look(form)
                where = Target(seen.scheme.lower(), seen.host.lower(), seen.port)
                assert where == Target("https", endpoint.host, 443), (name, how, form)
                compared += 1
    figure(
        "URLs: host matched is host connected to", f"{compared} by {len(asked)} clients, 0 differ"
    )


def services(url: str) -> Iterator[str]:
    """Yield the services that a client may ask keyring for: URL, authority and host."""
    yield url
    authority = url.partition("://")[2].partition("/")[0]
    yield authority
    yield authority.rpartition("@")[2]


def test_keyring_answers_only_for_codeartifact_hosts(
    urls: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str, str], None],
) -> None:
    monkeypatch.setenv("CODEARTIFACT_AUTH_TOKEN", "a-ready-one")
    backend = CodeArtifactBackend()  # type: ignore[no-untyped-call] # keyring's own __init__
    asked = answered = 0
    for url, how in urls:
        for service in services(url):
            password = backend.get_password(service, "aws")
            asked += 1
            right = right_host(service) if "/" in service else right_bare_host(service)
            assert password == (None if right is None else "a-ready-one"), (how, service)
            answered += password is not None
    figure("URLs: questions to the keyring backend", f"{asked}, {answered} answered, 0 wrong")


def right_bare_host(service: str) -> str | None:
    # As in a URL, except that a VPC endpoint's host does not name the domain.
    if any(mark in service for mark in "/?#"):
        return None
    host = right_host(f"https://{service}/pypi/team/")
    return None if host is None or host.startswith("vpce-") else host


def test_only_codeartifact_urls_in_a_pipfile_get_a_token(
    urls: list[tuple[str, str]], figure: Callable[[str, str], None]
) -> None:
    handed = refused = 0
    for url, how in urls:
        source = read_source("s", url, "Pipfile", {})
        right = right_host(re.sub(r":\$\{[^}]*\}@", ":x@", url))
        assert (source.endpoint.host if source.endpoint else None) == right, (how, url)
        try:
            assigned = assign_variables([source])
        except ConfigurationError:
            # A valid URL whose whole password is the variable is never refused.
            assert right is None or source.variable != "CODEARTIFACT_AUTH_TOKEN", (how, url)
            refused += 1
            continue
        assert right is not None or "${CODEARTIFACT_AUTH_TOKEN}" not in url, (how, url)
        child = direct_environment([source], assigned)
        assert bool(child.domains()) == (right is not None), (how, url)
        assert proxy_environment(assigned, set()).domains() == []
        for host in child.netrc:
            assert host == right
        handed += right is not None
    figure("URLs: sources of a Pipfile", f"{len(urls)}, {handed} given a token, {refused} refused")


def test_netrc_entries_match_only_codeartifact_hosts(
    urls: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "".join(f"machine {host} login aws password secret\n" for host in {h for h, _ in PLACES})
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for url, how in urls[:: max(1, len(urls) // 2000)]:
        try:
            prepared = requests.Request("GET", url).prepare().url or ""
            seen = by_requests(prepared)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
            continue  # the client cannot connect
        if get_netrc_auth(prepared) is not None:
            assert kind_of(seen.host) is not None, (how, url)


def test_logins_in_a_netrc_file_are_one_line(urls: list[tuple[str, str]]) -> None:
    for url, how in urls:
        found = login_of(url)
        if found is not None:
            host, (username, password) = found
            for word in (host, username, password):
                assert word, (how, url)
                assert word.isprintable(), (how, url)
                assert not set(word) & set(" \"'\\#"), (how, url)


def test_parse_host_agrees_with_an_independent_matcher(urls: list[tuple[str, str]]) -> None:
    for url, how in urls:
        host = url.partition("://")[2].partition("/")[0]
        found = parse_host(host)
        assert (found.host if found else None) == right_bare_host(host), (how, host)
