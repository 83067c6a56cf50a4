"""The three forms of CodeArtifact URLs, and URLs that only look like them."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.endpoint import (
    Domain,
    RepositoryEndpoint,
    explain_mismatch,
    parse_host,
    parse_url,
)

OWNER = "123456789012"
DOMAIN = Domain("my-dom", OWNER, "eu-west-1")
IPV4 = f"my-dom-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
DUALSTACK = f"my-dom-{OWNER}.codeartifact.eu-west-1.on.aws"
VPCE = "vpce-0a1b2c-x9.d.codeartifact.eu-west-1.vpce.amazonaws.com"
URL = f"https://{IPV4}/pypi/team/simple/"

# Other hosts.
HOSTS = [
    *(f"{IPV4}.evil.com", f"evil.com.{IPV4}", f"1evil-{IPV4}", f"aws:{IPV4}@evil.com", "${HOST}"),
    f"evil.com%2F@{IPV4}%2F.evil.com",
    *(f"evil.com{mark}{IPV4}" for mark in ("#@", "?@", "/", "\\@")),
    *(f"{IPV4}{end}" for end in (".", "]", ":8443", ":0x1bb", ":65979", "%00.evil.com", ".cn")),
    *(f"[{IPV4}]", f"[{IPV4}", f"[::1]/?{IPV4}", f"[::1%25{IPV4}]", VPCE),
    *(IPV4.replace(".amazonaws", f"{mark}.amazonaws") for mark in "\n\x00\N{SOFT HYPHEN}"),
    *(IPV4.replace(".d.", f"{dot}d.") for dot in ("\uff0e", "\u3002", "%2E")),
    IPV4.replace("codeartifact", "c\N{CYRILLIC SMALL LETTER O}deartifact"),
    *(IPV4.replace("codeartifact", "xn--cdeartifact-hsj"), IPV4.replace(".d.", ".")),
    *(IPV4.replace("my-dom", name) for name in ("my_dom", "a" * 51, "dom-", "\N{KELVIN SIGN}-dom")),
    *(IPV4.replace(OWNER, owner) for owner in (OWNER[1:], "\N{ARABIC-INDIC DIGIT ONE}23456789012")),
    *(f"my-dom-{OWNER}.d.codeartifact.eu-west-1.on.aws", "codeartifact.eu-west-1.amazonaws.com"),
]
LOOK_ALIKES = [
    *(f"https://{host}/pypi/team/simple/" for host in HOSTS),
    *(
        URL.replace("https", "http"),
        f"git+{URL}",
        URL.removeprefix("https:"),
        f"{URL}\n",
        f" {URL}",
    ),
    *(
        f"https://{VPCE}/pypi/d/my-dom-1/team/",
        f"https://{VPCE}.evil.com/pypi/d/my-dom-{OWNER}/team/",
    ),
    *(f"https://{IPV4}{path}" for path in ("", "/npm/team/", "/pypi/d/simple/", "/pypi/../team/")),
]


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        (f"https://{IPV4}/pypi/team/", "ipv4"),
        (f"https://{DUALSTACK}/pypi/team/", "dualstack"),
        (f"https://{VPCE}/pypi/d/my-dom-{OWNER}/team/", "vpce"),
    ],
)
def test_each_form_of_url_gives_domain_repository_and_urls(base: str, kind: str) -> None:
    endpoint = parse_url(f"{base}simple/")
    assert endpoint is not None
    assert (endpoint.domain, endpoint.repository, endpoint.kind) == (DOMAIN, "team", kind)
    assert (endpoint.url, endpoint.simple_url) == (base, f"{base}simple/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            f"https://{IPV4}/pypi/team",
            f"https://{IPV4}:443/pypi/team/",
            f"https://{IPV4}:/pypi/team",
        ),
        *(URL.replace("//", f"//{userinfo}@") for userinfo in ("aws", "aws:p@ss")),
        f"{URL}orb/1.0/orb-1.0.whl#sha256=00",
        URL.upper().replace("/PYPI/TEAM/SIMPLE/", "/pypi/team/simple/"),
    ],
)
def test_other_spellings_of_a_url_give_the_same_repository(url: str) -> None:
    assert parse_url(url) == RepositoryEndpoint(DOMAIN, "team", "ipv4", IPV4)


@pytest.mark.parametrize("url", LOOK_ALIKES)
def test_look_alike_urls_are_not_accepted(url: str) -> None:
    assert parse_url(url) is None


@pytest.mark.parametrize("wrong", ["x", "-", "/", "%2E", ".."])
@pytest.mark.parametrize(
    "path", [f"{IPV4}/pypi", f"{DUALSTACK}/pypi", f"{VPCE}/pypi/d/my-dom-{OWNER}"]
)
def test_a_host_with_a_replaced_dot_is_not_accepted(path: str, wrong: str) -> None:
    assert parse_url(f"https://{path}/team/") is not None
    for at, character in enumerate(path):
        if character == ".":
            assert parse_url(f"https://{path[:at]}{wrong}{path[at + 1 :]}/team/") is None


def test_the_owner_is_the_last_twelve_digits() -> None:
    endpoint = parse_url(URL.replace("my-dom", "a1-123456789012"))
    assert endpoint is not None
    assert endpoint.domain == Domain("a1-123456789012", OWNER, "eu-west-1")
    assert parse_url(URL.replace(f"-{OWNER}", f"-9{OWNER}")) is None


def test_a_bare_host_has_no_repository_url() -> None:
    endpoint = parse_host(DUALSTACK)
    assert endpoint is not None
    with pytest.raises(ValueError, match="no repository URL"):
        _ = endpoint.simple_url


@pytest.mark.parametrize(
    "host",
    [
        *("", "aws@", f"{IPV4}:80", f"{IPV4}.", f"{IPV4}/", f"{IPV4} ", f"[{IPV4}]", URL),
        *(f"{IPV4}/pypi/team/simple/", f"{IPV4}@evil.com", f"evil.com#@{IPV4}"),
        *(f"{IPV4}#.evil.com", f"{IPV4}?.evil.com", f"{IPV4}\\.evil.com"),
    ],
)
def test_text_around_a_codeartifact_host_is_not_accepted(host: str) -> None:
    assert parse_host(host) is None


DUAL_URL = f"https://{DUALSTACK}/pypi/team/"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (URL.replace("https", "http"), "it is http, not https"),
        (f"https://{IPV4}:8443/pypi/team/simple/", "its port is 8443, not 443"),
        (URL.replace(OWNER, OWNER[1:]), "its account number has 11 digits, not 12"),
        (URL.replace("amazonaws.com", "amazonaws.org"), "none of the three forms"),
        (f"{URL} ", "it contains a space"),
        (URL.replace("/pypi", "\\pypi"), "a backslash"),
        (f"https://{IPV4}/npm/team/", "it should be /pypi/REPOSITORY/simple/"),
        (f"https://{IPV4}:99999/pypi/team/simple/", "cannot be read"),
    ],
)
def test_a_url_that_resembles_codeartifact_is_explained(url: str, why: str) -> None:
    assert why in (explain_mismatch(url) or "")


@pytest.mark.parametrize(
    "url", [URL, "https://index.example.org/simple", f"https://evil.com/{IPV4}", ""]
)
def test_valid_and_unrelated_urls_have_no_mismatch(url: str) -> None:
    assert explain_mismatch(url) is None
