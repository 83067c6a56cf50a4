"""The keyring backend answers for CodeArtifact, and does not affect other services."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.programs import run
from support.runs import KEYRING

from codeartifact_pipenv.auth.backend import CodeArtifactBackend
from codeartifact_pipenv.endpoint import parse_host, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
DUALSTACK = "my-dom-123456789012.codeartifact.eu-west-1.on.aws"
URL = f"https://{HOST}/pypi/team/simple/"
TOKEN = "eyJ2ZXIiOjEsImlzdSI6MX0.a.b.c.d"

SERVICES = [
    *(URL, URL.removesuffix("/"), HOST, HOST.upper(), DUALSTACK, f"aws@{HOST}", f"{HOST}:443"),
    *(f"https://{login}/pypi/team/simple/" for login in (f"aws:old@{HOST}", DUALSTACK)),
    f"https://{HOST}/pypi/team/simple/orb/1.0/orb-1.0-py3-none-any.whl",
    "https://vpce-0a.d.codeartifact.eu-west-1.vpce.amazonaws.com/pypi/d/my-dom-123456789012/team/",
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """A machine without AWS credentials and without settings."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "CODEARTIFACT_", "PIPENV_", "XDG_", "KEYRING_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("PIPENV_CA_NO_CACHE", "1")
        yield patch


@pytest.fixture
def with_token(machine: pytest.MonkeyPatch) -> Iterator[None]:
    """Provide a token in the environment."""
    machine.setenv("CODEARTIFACT_AUTH_TOKEN", TOKEN)
    yield
    machine.delenv("CODEARTIFACT_AUTH_TOKEN")


def make_backend() -> CodeArtifactBackend:
    return CodeArtifactBackend()  # type: ignore[no-untyped-call] # keyring's own __init__


def asked(service: str, username: str | None) -> tuple[str | None, str]:
    """Return the password and the text on stderr."""
    backend = make_backend()
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr):
        password = backend.get_password(service, username)
        credential = backend.get_credential(service, username)
    # Both methods give the same answer.
    assert (None if credential is None else credential.password) == password
    assert credential is None or credential.username == "aws"
    return password, stderr.getvalue()


@pytest.mark.parametrize(
    ("service", "username"),
    [
        *((None, "aws"), (URL.encode(), "aws"), (3, "aws"), (["x"], "aws")),
        *((URL, b"aws"), (URL, 0), (URL, ["aws"])),
    ],
)
@pytest.mark.usefixtures("with_token")
def test_a_service_or_username_that_is_not_text_gets_no_answer(
    service: object, username: object
) -> None:
    assert asked(cast("str", service), cast("str", username)) == (None, "")


@pytest.mark.usefixtures("with_token")
def test_broken_settings_print_a_line_and_return_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another service causes no message."""
    (tmp_path / "config.toml").write_text("allowed-owners = 3\n")
    monkeypatch.setenv("PIPENV_CA_CONFIG", str(tmp_path / "config.toml"))
    password, said = asked(URL, "aws")
    assert password is None
    assert ["allowed-owners" in line for line in said.splitlines()] == [True, True]
    assert asked("https://example.com", "aws") == (None, "")


@pytest.mark.usefixtures("with_token")
def test_a_closed_stderr_does_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEARTIFACT_AUTH_TOKEN", "not a token")
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        with contextlib.redirect_stderr(stream):
            assert make_backend().get_password(URL, "aws") is None


# With lone surrogates, from file names and arguments that are not UTF-8.
anything = st.text(st.characters())
# One letter is replaced by another, of any alphabet.
look_alikes = st.builds(
    lambda url, at, letter: url[: at % len(url)] + letter + url[at % len(url) + 1 :],
    st.sampled_from(SERVICES),
    st.integers(0, 200),
    st.characters(),
)


@settings(deadline=None)
@given(service=anything | look_alikes, username=st.one_of(st.none(), anything, st.just("aws")))
@example(service=URL, username="aws")
@example(service=HOST, username=None)
@example(service=URL, username="AWS")
@example(service=f"{HOST}.evil.com", username="")
@example(service=URL.replace("codeartifact", "CODEART\u0130FACT"), username="aws")
@example(service=URL * 20_000, username="aws")
@example(service="https://" + "@" * 100_000 + HOST, username="aws")
@example(service=f"{'a' * 100_000}-{HOST}", username="\ud800")
def test_any_text_gets_a_token_only_if_it_is_codeartifact(
    machine: pytest.MonkeyPatch, service: str, username: str | None
) -> None:
    machine.delenv("CODEARTIFACT_AUTH_TOKEN", raising=False)
    password, stderr = asked(service, username)
    assert password is None
    machine.setenv("CODEARTIFACT_AUTH_TOKEN", TOKEN)
    own = username in {None, "", "aws"} and (parse_url(service) or parse_host(service))
    assert len(stderr.splitlines()) == (2 if own else 0)  # asked() makes two requests
    assert asked(service, username) == (TOKEN if own else None, "")


def test_set_and_delete_raise_not_implemented() -> None:
    with pytest.raises(NotImplementedError):
        make_backend().set_password(URL, "aws", "x")
    with pytest.raises(NotImplementedError):
        make_backend().delete_password(URL, "aws")


def test_keyring_finds_the_backend_between_its_chainer_and_the_system_stores(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    assert 5 < CodeArtifactBackend.priority < 10
    listed = run(KEYRING, "--list-backends", env=clean_env, cwd=tmp_path)
    assert (listed.status, listed.stderr) == (0, "")
    assert "codeartifact_pipenv.auth.backend.CodeArtifactBackend (priority: 9.95)" in listed.stdout
