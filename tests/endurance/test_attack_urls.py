"""Generated URLs around real hosts: a token for none but the right ones, by any door.

What is right is said by a matcher that reads character by character, after the AWS user guide's
pages on endpoints; and what clients would connect to is asked of the clients' own parsers.
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
from codeartifact_pipenv.wrapper.child_environment import direct_environment, proxy_environment

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

# --- the independent matcher: one character after the other ---------------------------------

LOWER, DIGITS = set(string.ascii_lowercase), set(string.digits)
NAME_CHARACTERS = LOWER | set(string.ascii_uppercase) | DIGITS | set("._-")


class Reader:
    """A text, read from its beginning."""

    def __init__(self, text: str) -> None:
        self.rest = list(text)

    def take(self, word: str) -> bool:
        """Read a word, if it is what comes next."""
        for at, character in enumerate(word):
            if at >= len(self.rest) or self.rest[at] != character:
                return False
        del self.rest[: len(word)]
        return True

    def until(self, ends: str) -> str:
        """Read up to one of some characters, which stays."""
        found = ""
        while self.rest and self.rest[0] not in ends:
            found += self.rest.pop(0)
        return found


def lowered(text: str) -> str:
    """Return an ASCII text in lower case, without Unicode's notion of that."""
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
    """Return the host of a URL that may be sent a token; None for every other URL."""
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


# --- the generator ---------------------------------------------------------------------------

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
    """Makes URLs, each a right one with something done to it, or to what was done before."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable is what it has to be

    def url(self) -> tuple[str, str]:
        """Return a URL, and what was done to it."""
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
    p["userinfo"], p["host"] = r.choice(
        [
            (f"{real}@", EVIL),
            (f"{real}:443@", EVIL),
            (f"{EVIL}@", real),
            (f"{EVIL}/@", real),
            (f"{EVIL}#@", real),
            (f"{EVIL}?@", real),
            (f"{EVIL}\\@", real),
            (f"a@{EVIL}@", real),
            (f"aws:a/{EVIL}@", real),
            (f"aws:x@{real}@", EVIL),
            ("aws:%40evil@", real),
            (f"aws@{EVIL}:@", real),
        ]
    )


def backslash(r: random.Random, p: dict[str, str]) -> None:
    p["host"] = r.choice(
        [
            f"{EVIL}\\@{p['host']}",
            f"{EVIL}\\.{p['host']}",
            f"{p['host']}\\.{EVIL}",
            f"{EVIL}\\{p['host']}",
        ]
    )


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
    numbers = [
        "",
        "443",
        "0443",
        "80",
        "444",
        "8443",
        "0",
        "65536",
        "-1",
        "443x",
        "4 43",
        "\u0664\u0664\u0663",
    ]
    p["port"] = ":" + r.choice(numbers)


def percent(r: random.Random, p: dict[str, str]) -> None:
    part = r.choice([name for name in ("host", "path") if p[name]])
    at = r.randrange(len(p[part]))
    code = f"%{ord(p[part][at]):02{r.choice('xX')}}"
    p[part] = p[part][:at] + code + p[part][at + 1 :]


def ipv6(r: random.Random, p: dict[str, str]) -> None:
    real = p["host"]
    p["host"] = r.choice(
        [
            "[::1]",
            f"[{real}]",
            f"[::1]{real}",
            f"[::1%25{real}]",
            f"[v1.{real}]",
            f"{real}[",
            "[::ffff:1.2.3.4]",
        ]
    )


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
    p["path"] = r.choice(
        [
            *("", "/", "/pypi", "/pypi/", "/pypi/x", "/npm/team/", "//pypi/team/", "/pypi//team/"),
            *("/PYPI/team/", "/pypi/team", "/pypi/te@am/", "/pypi/../team/", "/pypi/team/../../x/"),
            *(
                "/pypi/team?x=1",
                "/pypi/team#f",
                "/pypi/-team/",
                "?/pypi/team/",
                f"@{EVIL}/pypi/team/",
            ),
            *(f"/pypi/{'a' * 100}/", f"/pypi/{'a' * 101}/", f"/pypi/d/{DOMAIN}-{OWNER}/team/"),
        ]
    )


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
    *(suffix, prefix, userinfo, backslash, look_alike, punycode, invisible, line_break),
    *(
        other_port,
        percent,
        ipv6,
        address,
        upper_case,
        other_scheme,
        other_path,
        other_names,
        no_change,
    ),
]

# --- what clients would connect to -----------------------------------------------------------


class Seen(NamedTuple):
    """What a client makes of a URL."""

    scheme: str
    host: str
    port: int


def by_requests(url: str) -> Seen:
    prepared = requests.Request("GET", url).prepare().url or ""
    adapter = requests.adapters.HTTPAdapter()
    host, _ = adapter.build_connection_pool_key_attributes(
        requests.Request("GET", prepared).prepare(), verify=True
    )
    return Seen(str(host["scheme"]), str(host["host"]), int(host["port"] or 443))


def by_parser(parse: Callable[[str], Any]) -> Callable[[str], Seen]:
    def read(url: str) -> Seen:
        found = parse(url)
        return Seen(found.scheme or "", found.host or "", found.port or 443)

    return read


class _Connection(http.client.HTTPConnection):
    """Reads host and port as HTTPSConnection does, without its certificates, which take long."""

    default_port = 443


def by_standard_library(url: str) -> Seen:
    parts = urlsplit(url)
    connection = _Connection(parts.netloc.rpartition("@")[2])
    return Seen(parts.scheme, connection.host.lower(), connection.port)


def clients() -> dict[str, Callable[[str], Seen]]:
    """Return those whose parsers are here: pip's own too, as pip and as pipenv bring it."""
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


# --- the doors -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def urls(size: Callable[[int, int], int]) -> list[tuple[str, str]]:
    generator = Generator(SEED)
    return [generator.url() for _ in range(size(SHORT, FULL))]


def test_parsing_agrees_with_the_page(
    urls: list[tuple[str, str]], figure: Callable[[str, str], None]
) -> None:
    """What we take for CodeArtifact's is what the independent matcher takes for it, each time."""
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


def test_clients_connect_where_we_matched(
    urls: list[tuple[str, str]], figure: Callable[[str, str], None]
) -> None:
    """Of every URL that we take, every client connects to the very host that we matched."""
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
                where = Seen(seen.scheme.lower(), seen.host.lower(), seen.port)
                assert where == Seen("https", endpoint.host, 443), (name, how, form)
                compared += 1
    figure(
        "URLs: host matched is host connected to", f"{compared} by {len(asked)} clients, 0 differ"
    )


def services(url: str) -> Iterator[str]:
    """Yield what a client may ask keyring for: the URL, its authority, its host."""
    yield url
    authority = url.partition("://")[2].partition("/")[0]
    yield authority
    yield authority.rpartition("@")[2]


def test_keyring_answers_for_right_hosts_only(
    urls: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str, str], None],
) -> None:
    """The keyring backend has a token for right URLs and hosts, and for no others."""
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
    # As a URL would have it, but that a VPC endpoint's host does not say whose domain is meant.
    if any(mark in service for mark in "/?#"):
        return None
    host = right_host(f"https://{service}/pypi/team/")
    return None if host is None or host.startswith("vpce-") else host


def test_sources_get_a_token_for_right_urls_only(
    urls: list[tuple[str, str]], figure: Callable[[str, str], None]
) -> None:
    """A Pipfile's URL is given a token, by variable or netrc, only where it is right."""
    handed = refused = 0
    for url, how in urls:
        source = read_source("s", url, "Pipfile", {})
        right = right_host(re.sub(r":\$\{[^}]*\}@", ":x@", url))
        assert (source.endpoint.host if source.endpoint else None) == right, (how, url)
        try:
            assigned = assign_variables([source])
        except ConfigurationError:
            # Nothing is refused that is right and names the variable as its whole password.
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


def test_netrc_machines_match_one_host(
    urls: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A netrc of ours, read by requests, logs in to the hosts in it and to no other URL."""
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
            continue  # it connects to nobody
        if get_netrc_auth(prepared) is not None:
            assert kind_of(seen.host) is not None, (how, url)


def test_logins_of_other_indexes_are_one_line(urls: list[tuple[str, str]]) -> None:
    """What of a foreign URL goes into a netrc file has no blank, quote or line break in it."""
    for url, how in urls:
        found = login_of(url)
        if found is not None:
            host, (username, password) = found
            for word in (host, username, password):
                assert word, (how, url)
                assert word.isprintable(), (how, url)
                assert not set(word) & set(" \"'\\#"), (how, url)


def test_bare_hosts(urls: list[tuple[str, str]]) -> None:
    """A bare host is read as the matcher reads it, with any user and port."""
    for url, how in urls:
        host = url.partition("://")[2].partition("/")[0]
        found = parse_host(host)
        assert (found.host if found else None) == right_bare_host(host), (how, host)
