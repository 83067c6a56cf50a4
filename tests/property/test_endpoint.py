"""CodeArtifact URLs are read, and URLs that only look like them are not accepted."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import (
    Domain,
    RepositoryEndpoint,
    explain_mismatch,
    parse_host,
    parse_url,
)

LOWER, DIGITS = string.ascii_lowercase, string.digits
NAMES = string.ascii_letters + DIGITS + "._-"
PRINTABLE = "".join(map(chr, range(0x21, 0x7F))).replace("\\", "")

domain_names = st.from_regex(r"[a-z][a-z0-9-]{0,48}[a-z0-9]", fullmatch=True)
owners = st.text(DIGITS, min_size=12, max_size=12)
regions = st.from_regex(r"[a-z]{2}(-[a-z]{1,9}){1,2}-[0-9]{1,2}", fullmatch=True)
repositories = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{1,99}", fullmatch=True)
vpce_ids = st.text(LOWER + DIGITS + "-", min_size=1, max_size=30)


@st.composite
def endpoints(draw: st.DrawFn) -> RepositoryEndpoint:
    domain = Domain(draw(domain_names), draw(owners), draw(regions))
    kind = draw(st.sampled_from(["ipv4", "dualstack", "vpce"]))
    host = {
        "ipv4": f"{domain.name}-{domain.owner}.d.codeartifact.{domain.region}.amazonaws.com",
        "dualstack": f"{domain.name}-{domain.owner}.codeartifact.{domain.region}.on.aws",
        "vpce": f"vpce-{draw(vpce_ids)}.d.codeartifact.{domain.region}.vpce.amazonaws.com",
    }[kind]
    return RepositoryEndpoint(domain, draw(repositories), kind, host)


def all_in(text: str, allowed: str) -> bool:
    return all(character in allowed for character in text)


def is_domain_and_owner(text: str) -> bool:
    name, hyphen, owner = text[:-13], text[-13:-12], text[-12:]
    return (
        hyphen == "-"
        and all_in(owner, DIGITS)
        and 2 <= len(name) <= 50
        and name[0] in LOWER
        and name[-1] in LOWER + DIGITS
        and all_in(name, LOWER + DIGITS + "-")
    )


def is_region(text: str) -> bool:
    area, *words, number = text.split("-") if "-" in text else (text, "")
    return (
        len(area) == 2
        and all_in(area, LOWER)
        and len(words) >= 1
        and all(word and all_in(word, LOWER) for word in words)
        and 1 <= len(number) <= 2
        and all_in(number, DIGITS)
    )


def kind_of_host(host: str) -> str | None:
    for kind, middle, tail in (
        ("vpce", ".d.codeartifact.", ".vpce.amazonaws.com"),
        ("ipv4", ".d.codeartifact.", ".amazonaws.com"),
        ("dualstack", ".codeartifact.", ".on.aws"),
    ):
        if not host.endswith(tail):
            continue
        first, found, region = host.removesuffix(tail).partition(middle)
        if not found or not is_region(region):
            continue
        if kind != "vpce" and is_domain_and_owner(first):
            return kind
        identity = first.removeprefix("vpce-")
        if kind == "vpce" and identity not in {first, ""}:
            return kind if all_in(identity, LOWER + DIGITS + "-") else None
    return None


def is_codeartifact(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    if not all_in(url, PRINTABLE) or scheme.lower() != "https":
        return False
    ends = [rest.find(mark) for mark in "/?#" if mark in rest]
    authority, tail = (rest[: min(ends)], rest[min(ends) :]) if ends else (rest, "")
    host, _, port = authority.rpartition("@")[2].partition(":")
    if port and port.lstrip("0") != "443":
        return False
    kind = kind_of_host(host.lower())
    path = tail.partition("?")[0].partition("#")[0].split("/")
    if kind is None or path[:2] != ["", "pypi"]:
        return False
    if kind == "vpce":
        if path[2:3] != ["d"] or not is_domain_and_owner("".join(path[3:4])):
            return False
        del path[2:4]
    name = "".join(path[2:3])
    return 2 <= len(name) <= 100 and name[0] not in "._-" and all_in(name, NAMES)


@given(endpoints())
def test_a_formatted_url_and_a_bare_host_are_read_back(endpoint: RepositoryEndpoint) -> None:
    """A VPC endpoint's host does not name its domain."""
    for url in (endpoint.url, endpoint.simple_url, endpoint.simple_url.removesuffix("/")):
        assert parse_url(url) == endpoint
        assert is_codeartifact(url)
        assert explain_mismatch(url) is None
    found = parse_host(endpoint.host)
    assert found == (None if endpoint.kind == "vpce" else endpoint._replace(repository=None))
    assert parse_host(f"aws@{endpoint.host.upper()}:443") == found


TRICKS = (
    *(".", "..", "/", "//", "@", ":", "?", "#", "\\", "%2e", "%2f", "%00", "%", "[", "]", "[::1]"),
    *("\n", "\t", "\r", "\x00", " ", "\x7f", "-", "_", "1", "a", "A", "d", ".d", ":443", ":80"),
    *(":0443", "evil.com", ".evil.com", "@evil.com", "evil.com@", "aws@", "aws:x@", "http", "s"),
    *("\N{FULLWIDTH FULL STOP}", "\N{CYRILLIC SMALL LETTER A}", "\N{LATIN SMALL LETTER DOTLESS I}"),
    *("\N{SOFT HYPHEN}", "\N{KELVIN SIGN}", "\N{FULLWIDTH SOLIDUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
    *(".amazonaws.com", ".on.aws", "vpce-", ".vpce", "/pypi/", "pypi", "xn--", "https://"),
)


@st.composite
def disfigured(draw: st.DrawFn) -> str:
    url = draw(endpoints()).simple_url
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(url)))
        end = draw(st.one_of(st.just(begin), st.integers(begin, min(begin + 14, len(url)))))
        trick = draw(st.one_of(st.sampled_from(TRICKS), st.text(max_size=3)))
        url = url[:begin] + trick + url[end:]
    return url


@given(disfigured())
@example("https://a1-000000000000.codeartifact.aa-a-0.on.aws:0443/pypi/aa/simple/")
@example("https://a1-000000000000.codeartifact.aa-a-0.on.aws.evil.com/pypi/aa/simple/")
def test_an_independent_parser_agrees_about_altered_urls(url: str) -> None:
    endpoint = parse_url(url)
    genuine = is_codeartifact(url)
    if endpoint is not None:
        assert genuine
        # The formatted URL is the one that was checked.
        assert parse_url(endpoint.url) == endpoint
    elif genuine:
        # The parser is stricter only for brackets, which urlsplit checks.
        assert "[" in url or "]" in url


@given(st.one_of(st.text(), disfigured(), st.text("htps:/@.[]%\\aws0#?-")))
def test_parsing_any_text_does_not_raise(text: str) -> None:
    for url in (text, f"https://{text}", f"https://a.codeartifact.{text}"):
        parse_url(url)
        explain_mismatch(url)
    parse_host(text)


OWNER = "123456789012"
IPV4 = f"my-dom-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
DUALSTACK = f"my-dom-{OWNER}.codeartifact.eu-west-1.on.aws"
VPCE = "vpce-0a1b2c-x9.d.codeartifact.eu-west-1.vpce.amazonaws.com"
URL = f"https://{IPV4}/pypi/team/simple/"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        *(
            (f"https://{IPV4}{rest}", "ipv4")
            for rest in ("/pypi/team", ":443/pypi/team/", ":/pypi/team")
        ),
        *((URL.replace("//", f"//{userinfo}@"), "ipv4") for userinfo in ("aws", "aws:p@ss")),
        (f"{URL}orb/1.0/orb-1.0.whl#sha256=00", "ipv4"),
        (URL.upper().replace("/PYPI/TEAM/SIMPLE/", "/pypi/team/simple/"), "ipv4"),
        (f"https://{DUALSTACK}/pypi/team/simple/", "dualstack"),
        (f"https://{VPCE}/pypi/d/my-dom-{OWNER}/team/", "vpce"),
    ],
)
def test_each_spelling_of_a_url_gives_domain_and_repository(url: str, kind: str) -> None:
    host = {"ipv4": IPV4, "dualstack": DUALSTACK, "vpce": VPCE}[kind]
    domain = Domain("my-dom", OWNER, "eu-west-1")
    assert parse_url(url) == RepositoryEndpoint(domain, "team", kind, host)


def without_each_dot(host: str) -> list[str]:
    """Return the host with each of its dots replaced once."""
    return [f"{host[:at]}x{host[at + 1 :]}" for at, mark in enumerate(host) if mark == "."]


LOOK_ALIKES = [
    *(f"{IPV4}.evil.com", f"evil.com.{IPV4}", f"1evil-{IPV4}", f"aws:{IPV4}@evil.com", "${HOST}"),
    *(f"evil.com%2F@{IPV4}%2F.evil.com", f"{IPV4}@evil.com", "", "aws@", URL),
    *(f"evil.com{mark}{IPV4}" for mark in ("#@", "?@", "/", "\\@")),
    *(f"{IPV4}{mark}.evil.com" for mark in ("#", "?", "\\", "%00")),
    *(f"{IPV4}{end}" for end in (".", "]", " ", "/", ":80", ":8443", ":0x1bb", ":65979", ".cn")),
    *(f"[{IPV4}]", f"[{IPV4}", f"[::1]/?{IPV4}", f"[::1%25{IPV4}]", VPCE),
    *(IPV4.replace(".amazonaws", f"{mark}.amazonaws") for mark in "\n\x00\N{SOFT HYPHEN}"),
    *(IPV4.replace(".d.", f"{dot}d.") for dot in ("\uff0e", "\u3002", "%2E")),
    *(*without_each_dot(IPV4), *without_each_dot(DUALSTACK), IPV4.replace(".d.", ".")),
    IPV4.replace("codeartifact", "c\N{CYRILLIC SMALL LETTER O}deartifact"),
    IPV4.replace("codeartifact", "xn--cdeartifact-hsj"),
    *(IPV4.replace("my-dom", name) for name in ("my_dom", "a" * 51, "dom-", "\N{KELVIN SIGN}-dom")),
    *(IPV4.replace(OWNER, owner) for owner in (OWNER[1:], "\N{ARABIC-INDIC DIGIT ONE}23456789012")),
    *(f"my-dom-{OWNER}.d.codeartifact.eu-west-1.on.aws", "codeartifact.eu-west-1.amazonaws.com"),
]


@pytest.mark.parametrize("host", LOOK_ALIKES)
def test_a_host_that_looks_like_codeartifact_is_not_accepted(host: str) -> None:
    assert parse_url(f"https://{host}/pypi/team/simple/") is None
    assert parse_host(host) is None


@pytest.mark.parametrize(
    "url",
    [
        *(
            URL.replace("https", "http"),
            f"git+{URL}",
            URL.removeprefix("https:"),
            f"{URL}\n",
            f" {URL}",
        ),
        *(f"https://{host}/pypi/d/my-dom-{OWNER}/team/" for host in without_each_dot(VPCE)),
        f"https://{VPCE}.evil.com/pypi/d/my-dom-{OWNER}/team/",
        f"https://{VPCE}/pypi/d/my-dom-1/team/",
        *(
            f"https://{IPV4}{path}"
            for path in ("", "/npm/team/", "/pypi/d/simple/", "/pypi/../team/")
        ),
    ],
)
def test_a_url_with_another_scheme_or_path_is_not_accepted(url: str) -> None:
    assert parse_url(url) is None


def test_a_bare_host_has_no_repository_url() -> None:
    endpoint = parse_host(DUALSTACK)
    assert endpoint is not None
    with pytest.raises(ValueError, match="no repository URL"):
        _ = endpoint.simple_url


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
        *((url, None) for url in ("https://index.example/simple", f"https://evil.com/{IPV4}", "")),
    ],
)
def test_only_a_url_that_resembles_codeartifact_is_explained(url: str, why: str | None) -> None:
    found = explain_mismatch(url)
    assert found is None if why is None else why in (found or "")
