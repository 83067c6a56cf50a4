"""What an assistant's questions come to: folders that may be read, texts that are recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.exceptions
import pytest

from codeartifact_pipenv.assistant import guides, symptoms
from codeartifact_pipenv.assistant.roots import Roots
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.lint.codes import LEVELS

if TYPE_CHECKING:
    from pathlib import Path

_CLIENT_ERROR = "An error occurred ({}) when calling the {} operation: {}"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        # pip 26, by pipenv 2026.10.3
        (
            "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"
            "ERROR: No matching distribution found for x",
            "token-expired",
        ),
        (
            "ERROR: Could not find a version that satisfies x==9 (from versions: 1.0.1, 1.1.0)",
            "version-missing",
        ),
        (
            "ERROR: Ignored the following versions that require a different python version: 2.0 "
            "Requires-Python >=3.14\nERROR: No matching distribution found for x",
            "python-excluded",
        ),
        ("WARNING: 401 Error, Credentials not correct for https://h/", "token-expired"),
        ("requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: h", "token-expired"),
        ("ERROR: HTTP error 429 while getting h", "throttled"),
        ("User for d-1.d.codeartifact.eu-west-1.amazonaws.com: ", "token-expired"),
        ("Your Pipfile.lock (abc) is out of date. Expected: (def).", "lock-outdated"),
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED]", "tls-untrusted"),
        ("HTTPSConnectionPool: Max retries exceeded (Caused by ProxyError('x'))", "proxy-down"),
        ("NameResolutionError: Failed to resolve 'x.invalid'", "unreachable"),
        ("404 Client Error: Not Found for url: https://d.codeartifact.x/", "repository-missing"),
        ("503 Server Error: Service Unavailable for url: h", "service-fault"),
        ("Looking in indexes: https://aws:%24%7BCODEARTIFACT_AUTH_TOKEN%7D@h/", "variable-unset"),
        # ours
        ("error: x. [read-denied]\nhint: y\nNo matching distribution found", "read-denied"),
        ("Pipfile:3: error: y [lock-sources]", "lock-sources"),
        # AWS and botocore
        (str(botocore.exceptions.NoCredentialsError()), "no-credentials"),
        (str(botocore.exceptions.ProfileNotFound(profile="work")), "unknown-profile"),
        (str(botocore.exceptions.UnauthorizedSSOTokenError()), "sso-expired"),
        (
            str(botocore.exceptions.EndpointConnectionError(endpoint_url="https://h/")),
            "unreachable",
        ),
        (
            _CLIENT_ERROR.format("ExpiredTokenException", "GetAuthorizationToken", "x"),
            "keys-expired",
        ),
        (
            _CLIENT_ERROR.format(
                "AccessDeniedException",
                "GetAuthorizationToken",
                "User: a is not authorized to perform: sts:GetServiceBearerToken",
            ),
            "bearer-denied",
        ),
        (
            _CLIENT_ERROR.format("AccessDeniedException", "GetAuthorizationToken", "User: a"),
            "token-denied",
        ),
        (
            _CLIENT_ERROR.format("ResourceNotFoundException", "GetAuthorizationToken", "Domain"),
            "domain-missing",
        ),
        (
            _CLIENT_ERROR.format(
                "AccessDeniedException",
                "CreateDomain",
                "User: a is not authorized to perform: codeartifact:CreateDomain",
            ),
            "operation-denied",
        ),
    ],
)
def test_texts(text: str, first: str) -> None:
    """What programs print is recognised, and the likeliest cause is the first."""
    reading = symptoms.read(text, guides.advice())
    assert reading is not None
    assert reading.codes[0] == first


@pytest.mark.parametrize("text", ["", "all is well", "[project] [some-thing]", "KeyError: 'x'"])
def test_other_texts(text: str) -> None:
    """What is like nothing known has no causes."""
    assert symptoms.read(text, guides.advice()) is None


def test_every_cause_has_advice() -> None:
    """Every cause that a text may have, and every code of lint, is one that the guides explain."""
    known = guides.advice()
    named = {code for _, _, codes in symptoms._TEXTS for code in codes}
    assert (named | set(LEVELS)) - set(known) == set()
    assert all(said.explanation and said.next_step for said in known.values())


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Two projects below work, and one beside it whose name begins alike."""
    for name in ("work/one", "work/two", "work-not"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Pipfile").write_text("")
    return tmp_path / "work"


def refused(roots: Roots, path: str, of_client: list[str] | None = None) -> bool:
    """Whether a path is refused as one outside."""
    try:
        roots.project(path, of_client)
    except ConfigurationError as error:
        assert "is outside of the folders" in error.sentence  # noqa: PT017 - what else is wrong
        return True
    return False


def test_working_directory(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anybody's word it is the folder that the server was started in, and no more."""
    monkeypatch.chdir(work)
    assert Roots([]).project("one", None) == str(work / "one")
    assert Roots([]).project("one/Pipfile", None) == str(work / "one")
    assert refused(Roots([]), "../work-not")
    assert refused(Roots([]), str(work.parent))
    monkeypatch.chdir("/")
    assert refused(Roots([]), str(work / "one"))


def test_named_and_declared(work: Path) -> None:
    """The client's roots limit, those of the command line limit, and both do where there are both."""
    one, two = (work / "one").as_uri(), (work / "two").as_uri()
    assert not refused(Roots([]), str(work / "one"), [one])
    assert refused(Roots([]), str(work / "two"), [one])
    assert not refused(Roots([str(work)]), str(work / "two"))
    assert not refused(Roots([str(work)]), str(work / "two"), [two])
    assert refused(Roots([str(work / "one")]), str(work / "two"), [one, two])
    assert refused(Roots([str(work)]), str(work / "one"), [])
    assert refused(Roots([]), str(work / "one"), ["https://example.com/"])


@pytest.mark.parametrize(
    "name", ["Pipfile", "Pipfile.lock", "pylock.toml", "pyproject.toml", ".env"]
)
def test_links(name: str, work: Path) -> None:
    """A project's files that lead outside are refused, and so is a folder that does."""
    place = work / "one" / name
    place.unlink(missing_ok=True)
    (work.parent / "elsewhere").touch()
    place.symlink_to(work.parent / "elsewhere")
    assert refused(Roots([str(work)]), "one")
    (work / "link").symlink_to(work.parent / "work-not")
    assert refused(Roots([str(work)]), "link")


def test_pipfile_that_dotenv_names(work: Path) -> None:
    """A project's .env cannot lead to a Pipfile elsewhere."""
    outside = work.parent / "outside"
    outside.mkdir()
    (outside / "Pipfile").touch()
    for folder, forbidden in ((outside, True), (work / "two", False)):
        (work / "one" / ".env").write_text(f"PIPENV_PIPFILE={folder / 'Pipfile'}\n")
        assert refused(Roots([str(work)]), str(work / "one")) is forbidden


def test_no_project(work: Path) -> None:
    """A folder without a Pipfile is no project, whatever is above it."""
    (work / "Pipfile").touch()
    (work / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"There is no Pipfile in empty\."):
        Roots([str(work)]).project("empty", None)
