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
from property.test_endpoint import TRICKS, is_codeartifact

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
    from collections.abc import Callable

pytestmark = pytest.mark.endurance

VARIABLE = "CODEARTIFACT_AUTH_TOKEN"
LOGINS = ("", "aws@", "aws:x@", f"aws:${{{VARIABLE}}}@")
EVIL = ("evil.example/", ".evil.example", "evil.example\\@", "evil.example#@", ":aws@", "http://")
OWNER, REGION = "my-dom-123456789012", "eu-west-1"
PLACES = (
    (f"{OWNER}.d.codeartifact.{REGION}.amazonaws.com", "/pypi/team/simple/"),
    (f"{OWNER}.codeartifact.{REGION}.on.aws", "/pypi/team/simple/"),
    (f"vpce-1a-x.d.codeartifact.{REGION}.vpce.amazonaws.com", f"/pypi/d/{OWNER}/team/simple/"),
)


def altered(r: random.Random) -> str:
    """Return the URL of a repository, with a login, a port and up to three changes."""
    host, path = r.choice(PLACES)
    port = r.choice(["", "", "", ":", ":443", ":80"])
    url = f"https://{r.choice(LOGINS)}{host}{port}{path}"
    for new in r.choices(TRICKS + EVIL, k=r.choice([0, 1, 1, 1, 2, 3])):
        # Most changes that matter are where a part of the URL begins or ends.
        edges = [found.start() for found in re.finditer(r"\b|$", url)]
        at = r.choice([r.choice(edges), r.randrange(len(url))])
        url = url[:at] + new + url[at + r.choice([0, 1, len(new)]) :]
    return url


@pytest.fixture(scope="module")
def urls(size: Callable[[int, int], int]) -> list[str]:
    generator = random.Random(20_260_901)  # noqa: S311 - must be repeatable
    return [altered(generator) for _ in range(size(5_000, 100_000))]


def right_host(url: str) -> str | None:
    """Return the host of a URL that may get a token by an independent parser, or None."""
    if "[" in url or "]" in url or not is_codeartifact(url):
        return None
    authority = re.split("[/?#]", url.partition("://")[2])[0]
    return authority.rpartition("@")[2].partition(":")[0].lower()


class Target(NamedTuple):
    """Where a client connects."""

    scheme: str
    host: str
    port: int


def by_requests(url: str) -> Target:
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    adapter = requests.adapters.HTTPAdapter()
    host, _ = adapter.build_connection_pool_key_attributes(prepared, verify=True)
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


def test_every_client_connects_to_the_host_that_an_independent_matcher_accepts(
    urls: list[str],
) -> None:
    asked, taken = clients(), 0
    for url in urls:
        endpoint = parse_url(url)
        assert (endpoint.host if endpoint else None) == right_host(url), url
        if endpoint is None:
            continue
        taken += 1
        for form in {url, endpoint.url, without_credentials(url)}:
            for name, look in asked.items():
                seen = look(form)
                where = Target(seen.scheme.lower(), seen.host.lower(), seen.port)
                assert where == Target("https", endpoint.host, 443), (name, form)
    assert len(urls) / 20 < taken < len(urls) / 2


def test_keyring_answers_only_for_codeartifact_hosts(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client may ask for a URL, its authority or its host."""
    monkeypatch.setenv(VARIABLE, "a-ready-one")
    backend = CodeArtifactBackend()  # type: ignore[no-untyped-call] # keyring's own __init__
    for url in urls:
        authority = url.partition("://")[2].partition("/")[0]
        for service in (url, authority, authority.rpartition("@")[2]):
            right = right_host(service) if "/" in service else right_bare_host(service)
            password = backend.get_password(service, "aws")
            assert password == (None if right is None else "a-ready-one"), service


def right_bare_host(service: str) -> str | None:
    # As in a URL, except that a VPC endpoint's host does not name the domain.
    if any(mark in service for mark in "/?#"):
        return None
    host = right_host(f"https://{service}/pypi/team/")
    return None if host is None or host.endswith(".vpce.amazonaws.com") else host


def test_only_codeartifact_urls_in_a_pipfile_get_a_token(urls: list[str]) -> None:
    for url in urls:
        source = read_source("s", url, "Pipfile", {})
        right = right_host(re.sub(r":\$\{[^}/?#]*\}@", ":x@", url))
        assert (source.endpoint.host if source.endpoint else None) == right, url
        try:
            assigned = assign_variables([source])
        except ConfigurationError:
            # A valid URL whose whole password is the variable is never refused.
            assert right is None or source.variable != VARIABLE, url
            continue
        assert right is not None or f"${{{VARIABLE}}}" not in url, url
        child = direct_environment([source], assigned)
        assert bool(child.domains()) == (right is not None), url
        assert proxy_environment(assigned, set()).domains() == []
        assert set(child.netrc) <= {right}, url


def test_logins_in_a_netrc_file_are_one_line(urls: list[str]) -> None:
    for host, login in filter(None, map(login_of, urls)):
        for word in (host, *login):
            assert word.isprintable(), word
            assert not set(word) & set(" \"'\\#"), word
            assert word, host
