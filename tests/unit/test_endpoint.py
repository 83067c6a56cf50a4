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

LOOK_ALIKES = {
    "suffix": f"https://{IPV4}.evil.com/pypi/team/simple/",
    "suffix without a dot": f"https://{IPV4}evil/pypi/team/simple/",
    "prefix": f"https://evil.com.{IPV4}/pypi/team/simple/",
    "prefix with a hyphen and digits": f"https://1evil-{IPV4}/pypi/team/simple/",
    "userinfo": f"https://{IPV4}@evil.com/pypi/team/simple/",
    "userinfo with a password": f"https://aws:{IPV4}@evil.com/pypi/team/simple/",
    "userinfo and fragment": f"https://evil.com#@{IPV4}/pypi/team/simple/",
    "userinfo and query": f"https://evil.com?@{IPV4}/pypi/team/simple/",
    "host in the path": f"https://evil.com/{IPV4}/pypi/team/simple/",
    "backslash": f"https://evil.com\\@{IPV4}/pypi/team/simple/",
    "backslash after the host": f"https://{IPV4}\\.evil.com/pypi/team/simple/",
    "Cyrillic letter": URL.replace("codeartifact", "c\N{CYRILLIC SMALL LETTER O}deartifact"),
    "full-width dot": URL.replace(".amazonaws", "\N{FULLWIDTH FULL STOP}amazonaws"),
    "ideographic full stop": URL.replace(".amazonaws", "\N{IDEOGRAPHIC FULL STOP}amazonaws"),
    "punycode": URL.replace("codeartifact", "xn--cdeartifact-hsj"),
    "Kelvin sign": URL.replace("my-dom", "\N{KELVIN SIGN}-dom"),
    "Arabic digits": URL.replace(OWNER, "\N{ARABIC-INDIC DIGIT ONE}23456789012"),
    "soft hyphen": URL.replace("amazonaws", "amazon\N{SOFT HYPHEN}aws"),
    "trailing dot": f"https://{IPV4}./pypi/team/simple/",
    "other port": f"https://{IPV4}:8443/pypi/team/simple/",
    "port 80": f"https://{IPV4}:80/pypi/team/simple/",
    "port of another base": f"https://{IPV4}:0x1bb/pypi/team/simple/",
    "port beyond all": f"https://{IPV4}:65979/pypi/team/simple/",
    "http": URL.replace("https", "http"),
    "git+https": f"git+{URL}",
    "no scheme": URL.removeprefix("https:"),
    "one slash": URL.replace("//", "/", 1),
    "percent-encoded dot": URL.replace(".d.", "%2Ed."),
    "percent-encoded slash": f"https://evil.com%2F@{IPV4}%2F.evil.com/pypi/team/simple/",
    "percent-encoded null": f"https://{IPV4}%00.evil.com/pypi/team/simple/",
    "newline at the end": f"{URL}\n",
    "newline in the host": URL.replace(".amazonaws", "\n.amazonaws"),
    "tab in the host": URL.replace(".amazonaws", "\t.amazonaws"),
    "control character": URL.replace(".amazonaws", "\x01.amazonaws"),
    "null": URL.replace(".amazonaws", "\x00.amazonaws"),
    "blank in front": f" {URL}",
    "IPv6": f"https://[::1]/pypi/team/simple/?{IPV4}",
    "IPv6 zone": f"https://[::1%25{IPV4}]/pypi/team/simple/",
    "brackets": f"https://[{IPV4}]/pypi/team/simple/",
    "open bracket": f"https://[{IPV4}/pypi/team/simple/",
    "owner of 11 digits": URL.replace(OWNER, OWNER[1:]),
    "no owner": URL.replace(f"-{OWNER}", ""),
    "domain with underscore": URL.replace("my-dom", "my_dom"),
    "domain of 51 characters": URL.replace("my-dom", "a" * 51),
    "domain that begins with a digit": URL.replace("my-dom", "1dom"),
    "domain that ends in a hyphen": URL.replace("my-dom", "dom-"),
    "dual-stack with .d.": URL.replace(IPV4, f"my-dom-{OWNER}.d.codeartifact.eu-west-1.on.aws"),
    "IPv4 without .d.": URL.replace(".d.", "."),
    "China": URL.replace("amazonaws.com", "amazonaws.com.cn"),
    "control plane": "https://codeartifact.eu-west-1.amazonaws.com/pypi/team/simple/",
    "VPC endpoint without a domain": f"https://{VPCE}/pypi/team/simple/",
    "VPC endpoint with half an owner": f"https://{VPCE}/pypi/d/my-dom-123/team/simple/",
    "VPC endpoint elsewhere": f"https://{VPCE}.evil.com/pypi/d/my-dom-{OWNER}/team/",
    "no path": f"https://{IPV4}",
    "another format": f"https://{IPV4}/npm/team/",
    "no repository": f"https://{IPV4}/pypi/",
    "repository of one character": f"https://{IPV4}/pypi/d/simple/",
    "repository that climbs": f"https://{IPV4}/pypi/../team/simple/",
    "variable for a host": "https://${HOST}/pypi/team/simple/",
}


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
        *(URL.removesuffix("/"), f"https://{IPV4}/pypi/team", f"https://{IPV4}/pypi/team/"),
        *(URL.replace(IPV4, f"{IPV4}:443"), URL.replace(IPV4, f"{IPV4}:"), f"{URL}?a=b"),
        *(URL.replace("//", f"//{userinfo}@") for userinfo in ("aws", "aws:secret", "aws:p@ss")),
        f"{URL}orb/1.0/orb-1.0.whl#sha256=00",
        URL.upper().replace("/PYPI/TEAM/SIMPLE/", "/pypi/team/simple/"),
    ],
)
def test_other_spellings_of_a_url_give_the_same_repository(url: str) -> None:
    assert parse_url(url) == RepositoryEndpoint(DOMAIN, "team", "ipv4", IPV4)


@pytest.mark.parametrize("url", LOOK_ALIKES.values(), ids=LOOK_ALIKES.keys())
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
        (URL.replace(OWNER, f"9{OWNER}"), "its account number has 13 digits, not 12"),
        (DUAL_URL.replace(OWNER, OWNER[2:]), "its account number has 10 digits, not 12"),
        (URL.replace("amazonaws.com", "amazonaws.org"), "none of the three forms"),
        (URL.replace("my-dom", "my_dom"), "none of the three forms"),
        (f"https://{IPV4}/npm/team/", "it should be /pypi/REPOSITORY/simple/"),
        (f"https://{IPV4}:99999/pypi/team/simple/", "cannot be read"),
    ],
)
def test_a_url_that_resembles_codeartifact_is_explained(url: str, why: str) -> None:
    assert why in (explain_mismatch(url) or "")


@pytest.mark.parametrize("url", [f"{URL} ", f" {URL}", f"{URL}\n", URL.replace("/pypi", "\\pypi")])
def test_a_stray_character_is_not_blamed_on_the_path(url: str) -> None:
    reason = explain_mismatch(url)
    assert reason is not None
    assert "path" not in reason


@pytest.mark.parametrize(
    "url", [URL, "https://index.example.org/simple", f"https://evil.com/{IPV4}", ""]
)
def test_valid_and_unrelated_urls_have_no_mismatch(url: str) -> None:
    assert explain_mismatch(url) is None
