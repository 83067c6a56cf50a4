"""Parsing the URLs of sources, and keeping tokens out of other URLs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.sources import (
    Source,
    assign_variables,
    expand,
    read_source,
    token_variables,
    variables_in,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "123456789012"
TOKEN = "CODEARTIFACT_AUTH_TOKEN"
HOST = f"my-dom-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
OTHER_HOST = f"other-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
PATH = "/pypi/team/simple/"
DOMAIN = Domain("my-dom", OWNER, "eu-west-1")
OTHER = Domain("other", OWNER, "eu-west-1")


def read(url: str, environ: Mapping[str, str] | None = None, name: str = "ca") -> Source:
    return read_source(name, url, "/project/Pipfile", environ or {})


def ours(userinfo: str, host: str = HOST, name: str = "ca") -> Source:
    return read(f"https://{userinfo}{host}{PATH}", name=name)


ENVIRON = {
    "WHO": "me",
    "CA_HOST": HOST,
    "REPO": "team",
    "INDEX": f"https://aws:${{T}}@{HOST}{PATH}",
    "BASE": f"https://aws:${{T}}@{HOST}/pypi/team",
}


@pytest.mark.parametrize(
    ("url", "username", "variable", "has_password"),
    [
        (f"https://aws:$T@{HOST}{PATH}", "aws", "T", True),
        (f"https://:${{T}}@{HOST}{PATH}", "", "T", True),
        (f"https://aws:@{HOST}{PATH}", "aws", None, False),
        (f"https://{HOST}{PATH}", "", None, False),
        (f"https://aws:x${{T}}@{HOST}{PATH}", "aws", None, True),
        (f"https://aws:${{A}}${{B}}@{HOST}{PATH}", "aws", None, True),
        (f"https://aws:p@ss@{HOST}{PATH}", "aws", None, True),
        (f"https://${{WHO}}:${{T}}@${{CA_HOST}}{PATH}", "me", "T", True),
        (f"https://aws:${{T}}@{HOST}/pypi/${{REPO}}/", "aws", "T", True),
        ("$INDEX", "aws", "T", True),
        ("${BASE}/simple/", "aws", "T", True),
    ],
)
def test_repository_username_and_variable_of_a_url_are_found(
    url: str, username: str, variable: str | None, has_password: bool
) -> None:
    source = read(url, ENVIRON)
    assert source.endpoint is not None
    assert (source.endpoint.domain, source.endpoint.repository) == (DOMAIN, "team")
    assert (source.username, source.variable, source.url) == (username, variable, url)
    assert (source.has_password, source.mismatch_reason) == (has_password, None)


def domains(*sources: Source) -> dict[str, Domain]:
    return {name: endpoint.domain for name, endpoint in assign_variables(sources).items()}


def test_each_variable_gets_its_domain_and_one_domain_the_default_variable() -> None:
    public, first, other = read("https://pypi.org/simple"), ours("aws:${A_TOKEN}@"), ours("")
    second = ours("aws:${B_TOKEN}@", OTHER_HOST)
    assert domains(public) == {}
    assert domains(public, other) == domains(ours("aws@")) == {TOKEN: DOMAIN}
    assert domains(first, other) == {"A_TOKEN": DOMAIN, TOKEN: DOMAIN}
    assert domains(first, second) == {"A_TOKEN": DOMAIN, "B_TOKEN": OTHER}
    assert domains(other, ours("", OTHER_HOST)) == {}


def test_one_variable_for_two_domains_is_an_error() -> None:
    first = ours(f"aws:${{{TOKEN}}}@")
    second = ours(f"aws:${TOKEN}@", OTHER_HOST, name="second")
    with pytest.raises(ConfigurationError, match=r"tokens of two domains.*my-dom.*other") as caught:
        assign_variables([first, second])
    assert "source second in /project/Pipfile" in caught.value.hint
    fixed = f"{TOKEN}_OTHER"
    assert f"${{{fixed}}}" in caught.value.hint
    assert domains(first, ours(f"aws:${{{fixed}}}@", OTHER_HOST))[fixed] == OTHER


STRAY = {
    f"https://aws:${{{TOKEN}}}@evil.com/simple/": "foreign host",
    f"https://evil.com/simple/?t=${TOKEN}": "in the query",
    f"https://${{{TOKEN}}}.evil.com/simple/": "in the host",
    f"http://aws:${{{TOKEN}}}@{HOST}{PATH}": "it is http, not https",
    f"https://aws:${{{TOKEN}}}@{HOST}:8443{PATH}": "its port is 8443, not 443",
    f"https://aws:${{{TOKEN}}}@{HOST}.evil.com{PATH}": "look-alike",
    f"https://evil.com\\@aws:${{{TOKEN}}}@{HOST}{PATH}": "backslash",
    f"https://{HOST}/pypi/team/${{{TOKEN}}}/": "in the right host's path",
    f"https://aws:${{{TOKEN}}}@{HOST}/pypi/team/${{{TOKEN}}}/": "twice",
    f"https://${{{TOKEN}}}@{HOST}{PATH}": "as the user of the right host",
    f"${{{TOKEN}}}": "without a URL",
}


@pytest.mark.parametrize("url", STRAY, ids=STRAY.values())
def test_token_variable_in_a_foreign_url_is_an_error(url: str) -> None:
    own = url.replace(TOKEN, "MY_TOKEN")
    for name, sources in (
        (TOKEN, [read(url)]),
        (TOKEN, [ours(f"aws:${{{TOKEN}}}@"), read(url)]),
        ("MY_TOKEN", [ours("aws:${MY_TOKEN}@"), read(own)]),
    ):
        said = rf"(would send the token in|has) {name} "
        with pytest.raises(ConfigurationError, match=said) as caught:
            assign_variables(sources)
        assert "/project/Pipfile" in caught.value.sentence
        if " not " in STRAY[url] and name == TOKEN:
            assert STRAY[url] in caught.value.sentence


@pytest.mark.parametrize("who", ["evil.com/", "evil.com\\"])
def test_a_username_that_changes_the_host_is_an_error(who: str) -> None:
    with pytest.raises(ConfigurationError, match="would send the token"):
        assign_variables([read(f"https://${{WHO}}:${{{TOKEN}}}@{HOST}{PATH}", {"WHO": who})])


OWN_NAMES = """
CODEARTIFACT_AUTH_TOKEN CODEARTIFACT_AUTH_TOKEN_FAR CODEARTIFACT_TOKEN CodeArtifact AWS_CA_TOKEN
AWS_CODEARTIFACT_TOKEN CI_CODEARTIFACT_AUTH_TOKEN ACME_INDEX_PASSWORD CA_TOKEN PIPENV_ACME_TOKEN
PIP_PASSWORD PYPI_PASSWORD ARTIFACTS_TOKEN NEXUS_PASSWORD TOKEN token TOKEN_A TOKEN_PROD CA_TOKEN2
CA_TOKEN_2 CATOKEN pw T_PAT _TOKEN INDEX_KEY INDEX_AUTH INDEX_CREDS INDEX_LOGIN MIRROR_SECRET INDEX_PASS
"""
OTHER_NAMES = """
CC CFLAGS LDFLAGS LD_PRELOAD PATH HOME PWD OLDPWD TMPDIR X MINE PIP_USER_AGENT_USER_DATA PIP_INDEX_URL
PIP_CERT https_proxy HTTPS_PROXY NETRC PYTHONPATH PYTHON_KEYRING_BACKEND KEYRING_PROPERTY_PASSWORD
SSH_AUTH_SOCK SSHPASS AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_WEB_IDENTITY_TOKEN_FILE AWS_CA_BUNDLE
AWS_ENDPOINT_URL_CODEARTIFACT GITHUB_TOKEN gh_token CI_JOB_TOKEN GITLAB_TOKEN NPM_TOKEN NODE_AUTH_TOKEN
TWINE_PASSWORD UV_PUBLISH_TOKEN DOCKER_PASSWORD UV_INDEX_CODEARTIFACT_PASSWORD
POETRY_HTTP_BASIC_CODEARTIFACT_PASSWORD GIT_CONFIG_KEY_0 GOOGLE_APPLICATION_CREDENTIALS VAULT_TOKEN
GIT_SSH_COMMAND A=B Ä_TOKEN PGPASSWORD PIPENV_CA_RUN_TOKEN TOKEN_FILE ACME_PASSWORD_COMMAND TOKEN_URL KEY_A AUTH_X _ MY_TOKENS
"""


@pytest.mark.parametrize("name", OWN_NAMES.split())
def test_names_of_secrets_may_hold_the_token(name: str) -> None:
    assert name in assign_variables([ours(f"aws:${{{name}}}@")])


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_other_names_must_not_hold_the_token(name: str) -> None:
    with pytest.raises(ConfigurationError, match="wants the token in") as caught:
        assign_variables([ours(f"aws:${{{name}}}@")])
    assert (repr(name) in caught.value.sentence, caught.value.code) == (True, "variable-name")
    assert f"${{{TOKEN}}}" in caught.value.hint


def test_a_variable_name_as_plain_text_is_allowed() -> None:
    source = read(f"https://aws:${{team_token}}@{HOST}/pypi/team_token/simple/")
    assert set(assign_variables([source])) == {"team_token", TOKEN}


def test_all_variables_of_a_text_are_found() -> None:
    assert variables_in("$A-${B}/$C_1$$D ${} ${E F} %G% A") == {"A", "B", "C_1", "D", "", "E F"}


environments = st.dictionaries(
    st.sampled_from(["A", "B", "HOST", "URL", "", TOKEN]),
    st.text() | st.sampled_from([HOST, f"https://aws:$A@{HOST}{PATH}"]),
)
pieces = st.text(max_size=4) | st.sampled_from(
    [
        *("https://", "http://", "aws:", "aws@", "@", ":", "/", "?", "#", "[", "]", "\\", "%"),
        *("$", "${", "}", "${A}", "$B", "${HOST}", "${URL}", f"${{{TOKEN}}}", HOST, OTHER_HOST),
        *(PATH, ":443", ":x", ".evil.com", "\n", "\x00", "${}", "$ä", "${ä}"),
    ]
)
urls = st.one_of(st.text(), st.lists(pieces, max_size=9).map("".join))


@given(st.lists(urls, max_size=4), environments)
def test_any_url_keeps_the_token_in_its_domain(texts: list[str], environ: dict[str, str]) -> None:
    sources = [read_source("name", text, "Pipfile", environ) for text in texts]
    for source, text in zip(sources, texts, strict=True):
        assert source.url == text
        assert source.endpoint is None or source.endpoint.domain.owner.isdecimal()
    try:
        assigned = assign_variables(sources)
    except ConfigurationError:
        return
    # An accepted URL sends a token only to its domain.
    for source in sources:
        for name in variables_in(source.url) & {TOKEN, *assigned}:
            assert source.endpoint is not None
            assert assigned[name].domain == source.endpoint.domain


VARIABLES = {"A": "one", "B_2": "$A", "C": "", "LONG_NAME": "${A}/x", "D": "\\1\\g<0>"}
templates = st.sampled_from(
    [
        *("$A", "${A}", "$B_2", "${B_2}", "$C", "${D}", "$D", "${LONG_NAME}", "$"),
        *("{", "}", "$$A", "${A", "${}", "$AB", "$1", "$Aä", "${ A}", "/", "text"),
    ]
)


@given(st.text() | st.text("$ {}AB_2CDE1ä-/") | st.lists(templates).map("".join))
def test_variables_are_expanded_like_os_path_expandvars(template: str) -> None:
    with mock.patch.dict(os.environ, VARIABLES):
        assert expand(template, os.environ) == os.path.expandvars(template)


def test_unclosed_braces_take_linear_time() -> None:
    text = "https://$A/${A}/${B${A}/" + "${" * 30_000 + "$A"
    began = time.process_time()
    assert expand(text, {"A": "x"}) == "https://x/x/${B${A}/" + "${" * 30_000 + "x"
    assert variables_in(text) == {"A", "B${A"}
    assert time.process_time() - began < 1.0


def test_an_inherited_token_is_used_only_for_the_domain_that_its_variable_belongs_to() -> None:
    first, other = ours("aws:${FIRST}@"), ours("aws:${SECOND}@", OTHER_HOST)
    default, public = ours(f"aws:${{{TOKEN}}}@"), read("https://public.example/simple")
    assert token_variables(DOMAIN, [public, first]) == ["FIRST", TOKEN]
    assert token_variables(DOMAIN, [first, other, public]) == ["FIRST"]
    assert token_variables(DOMAIN, [default, other]) == [TOKEN]
