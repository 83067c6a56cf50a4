"""What is said after a pipenv that failed: the one cause that fits, or nothing."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING

import pytest
from support.checkout import ROOT
from support.guides import section
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import TOKEN_VARIABLE, StandIn, get_token, without_credentials

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

pytestmark = pytest.mark.wide

OWN_LINE = re.compile(r"^(error|hint): .*$", re.MULTILINE)


class World:
    """A sandbox of the test's own, and a project in it.

    Attributes:
        team: a repository that reaches the public index.
        lonely: one that does not.
    """

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.sandbox = sandbox
        self.env = env
        self.folder = folder
        self.team = sandbox.endpoint
        self.lonely = sandbox.add_repository("lonely")
        wheels = folder.parent / "wheels"
        needs = ("orb-common",)
        for endpoint in (self.team, self.lonely):
            for wheel in (
                make_wheel(wheels, "orb-common", "2.0.0"),
                make_wheel(wheels, "orb-tools", "1.0", requires=needs),
                make_wheel(wheels, "orb-future", "1.0", requires_python=">=3.99"),
            ):
                sandbox.publish(wheel, endpoint)

    def pipfile(self, packages: str, *tables: str) -> None:
        """Write the Pipfile; without tables the team's repository is the one source."""
        written = tables or (source(self.team),)
        write_pipfile(self.folder, *written, f"[packages]\n{packages}\n")

    def run(self, *words: str) -> Result:
        return run(PIPENV_CA, *words, env=self.env, cwd=self.folder)

    def fails(self, code: str | None, *words: str, says: str = "") -> Result:
        """Run a command that fails, and check which cause is named, alone and last.

        Args:
            code: the code of the cause; None where nothing is to be said.
            words: the command.
            says: what the two lines must hold besides.
        """
        done = self.run(*words)
        assert done.status != 0, done.output
        own = [found[0] for found in OWN_LINE.finditer(done.stderr)]
        own = [line for line in own if not line.startswith("error: subprocess")]
        if code is None:
            assert not [line for line in own if line.endswith("]")], done.stderr
            return done
        assert done.stderr.splitlines()[-2:] == own[-2:], done.stderr
        assert own[-2].endswith(f" [{code}]"), done.stderr
        assert own[-1].startswith("hint: ")
        assert says in "\n".join(own), own
        assert self.sandbox.user.secret_access_key not in done.output
        assert "eyJ" not in done.output
        return done


@pytest.fixture
def world(clean_env: dict[str, str], clean_base: dict[str, str], project: Path) -> Iterator[World]:
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as sandbox:
        yield World(sandbox, sandbox.environ(clean_env), project)


def other_domain(world: World) -> RepositoryEndpoint:
    return world.sandbox.add_repository("team", domain="other-dom")


# --- the token ---------------------------------------------------------------------------


def test_revoked(world: World) -> None:
    """A token of our own that AWS takes no more is told as revoked."""
    world.pipfile('orb-tools = "*"')
    assert get_token(world.sandbox, world.env, world.folder)
    world.sandbox.revoke_tokens()
    world.fails("token-revoked", "--ca-route", "as-written", "lock", says="--ca-refresh")
    assert world.run("--ca-refresh", "--ca-route", "as-written", "lock").status == 0


@pytest.mark.parametrize("credentials", [True, False])
def test_token_of_another_domain(credentials: bool, world: World) -> None:
    """An inherited token of another domain is told as that only where the domains can be asked."""
    world.pipfile('orb-tools = "*"')
    endpoint = other_domain(world)
    token = run(PIPENV_CA, "token", endpoint.simple_url, env=world.env, cwd=world.folder)
    world.env[TOKEN_VARIABLE] = token.stdout.strip()
    if credentials:
        world.fails("token-wrong-domain", "lock", says="other-dom (account 123456789012")
    else:
        world.env = without_credentials(world.env)
        world.env["AWS_EC2_METADATA_DISABLED"] = "true"
        world.fails("token-revoked", "lock", says="is one for another domain")


def test_one_of_two_repositories_denies(world: World) -> None:
    """Where the second repository denies reading, it is that one that is named."""
    other = other_domain(world)
    world.sandbox.publish(make_wheel(world.folder.parent / "wheels", "acme-b", "1.0"), other)
    world.sandbox.deny("codeartifact:ReadFromRepository", other)
    world.pipfile(
        'orb-tools = "*"\nacme-b = {version = "*", index = "other"}',
        source(world.team, "aws:${TEAM_TOKEN}@"),
        source(other, "aws:${OTHER_TOKEN}@", "other"),
    )
    world.fails("read-denied", "lock", says="reading from repository team of other-dom")


# --- packages ----------------------------------------------------------------------------


def test_misspelt_on_the_command_line(world: World) -> None:
    """A name that is typed wrong is told, by loopback too."""
    world.pipfile('orb-common = "*"', PYPI_SOURCE, source(world.team))
    world.fails("package-missing", "install", "orb-tolls", says="did you mean orb-tools?")


def test_failure_of_the_readme(world: World) -> None:
    """A failed lock prints the two lines that the README shows."""
    wheel = make_wheel(world.folder.parent / "wheels", "acme-invoices", "1.0")
    world.sandbox.publish(wheel, world.team)
    world.pipfile('acme-invocies = "*"', PYPI_SOURCE, source(world.team))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    said = world.fails("package-missing", "lock").stderr
    shown = section(readme, "When it fails").split("```")[1].lstrip("\n")
    assert said.endswith(shown)


def test_misspelt_for_pip(world: World) -> None:
    """A name that is typed wrong for pip is told, too."""
    world.pipfile('orb-common = "*"')
    world.fails("package-missing", "run", "pip", "install", "-U", "orb-tolls", says="orb-tools?")


def test_missing_version(world: World) -> None:
    """A version that does not exist is told with the newest that does."""
    world.pipfile('orb-tools = "==7.7"', PYPI_SOURCE, source(world.team))
    world.fails("version-missing", "lock", says="the newest there is 1.0")


def test_no_index_for_bare_pipenv(world: World) -> None:
    """As written, a private package without its index is looked for in the first source only."""
    world.pipfile('orb-tools = "*"', PYPI_SOURCE, source(world.team))
    world.fails("index-missing", "--ca-route", "as-written", "lock", says='index = "codeartifact"')
    assert world.run("lock").status == 0


# --- the project's files -----------------------------------------------------------------


def test_unset_variable(world: World) -> None:
    """A variable in a URL that nothing sets is told by its name."""
    mirror = PYPI_SOURCE.replace("https://pypi.org", "https://${MIRROR_HOST}")
    world.pipfile('six = "*"', mirror, source(world.team))
    world.fails("variable-unset", "--ca-route", "as-written", "lock", says="MIRROR_HOST")
    own = source(world.team).replace("us-east-1", "${THE_REGION}")
    world.pipfile('orb-tools = "*"', own)
    world.fails("variable-unset", "lock", says="names THE_REGION, which nothing sets")
    world.env["THE_REGION"] = "us-east-1"
    assert world.run("lock").status == 0


# --- what it costs -----------------------------------------------------------------------


def test_success_says_nothing(world: World) -> None:
    """A command that does its work has nothing added to it."""
    world.pipfile('orb-tools = "*"')
    world.env["PYTHONPROFILEIMPORTTIME"] = "1"
    done = world.run("lock")
    assert done.status == 0
    assert OWN_LINE.findall(done.output) == []
    assert "codeartifact_pipenv.wrapper.run" in done.stderr
    assert "codeartifact_pipenv.checks.explain" not in done.stderr
    assert "botocore" in done.stderr  # it was imported for the token: the list is whole


@pytest.mark.parametrize("public_first", [True, False])
def test_index_that_never_answers(public_first: bool, world: World) -> None:
    """Where nothing answers, an explanation gives up within five seconds."""
    tables = (PYPI_SOURCE, source(world.team)) if public_first else ()
    world.pipfile("\n".join(f'orb-{number} = "*"' for number in range(100)), *tables)
    world.env[TOKEN_VARIABLE] = get_token(world.sandbox, world.env, world.folder)
    failing = StandIn(world.folder.parent / "bin", afterwards="sys.exit(1)")
    world.env["PIPENV_CA_PIPENV"] = str(failing.path)
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        world.env |= {"HTTPS_PROXY": address, "https_proxy": address}
        world.env["AWS_EC2_METADATA_DISABLED"] = "true"
        begin = time.monotonic()
        done = world.run("lock")
        assert time.monotonic() - begin < 15  # of which starting takes some on a busy machine
    assert done.status == 1
    assert "Traceback" not in done.stderr
    *_, error, hint = done.stderr.splitlines()
    assert error.endswith("[unreachable]")
    assert hint.startswith("hint: ")


def test_verbose_tells_what_is_done(world: World) -> None:
    """--ca-verbose tells in order: sources, route, token, files, variables by name alone."""
    world.pipfile('orb-tools = "*"', PYPI_SOURCE, source(world.team))
    done = world.run("--ca-verbose", "lock")
    notes = re.findall(r"^note: (\w+ \w+|\w+)", done.stderr, re.MULTILINE)
    assert notes == [
        "Pipfile",
        "source pypi",
        "source codeartifact",
        "route loopback",
        "token for",
        "works on",
        "runs",
    ], done.stderr
    led = "PIPENV_CUSTOM_VENV_NAME, PIPENV_PIPFILE"
    pip = "PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_NO_INDEX, PIP_TRUSTED_HOST"
    assert f"NETRC, NO_PROXY, {led}, {pip}, TMPDIR, no_proxy set" in done.stderr


# --- what is not known -------------------------------------------------------------------


def slow(world: World, seconds: float, on: str) -> None:
    world.sandbox.delay(seconds, on=on)


@pytest.mark.parametrize("words", [("lock",), ("install", "orb-tolls")])
def test_a_slow_index_is_not_unreachable(words: tuple[str, ...], world: World) -> None:
    """What pipenv has just seen counts: an index that answers slowly is not called unreachable."""
    world.pipfile('orb-tolls = "*"' if words != ("install", "orb-tolls") else "")
    world.env[TOKEN_VARIABLE] = get_token(world.sandbox, world.env, world.folder)
    slow(world, 4, "pages")
    done = world.run(*words)
    assert done.status != 0
    assert "[unreachable]" not in done.stderr
    assert re.search(
        r"\[(package-missing|no-answer|package-not-seen)\]$", done.stderr, re.MULTILINE
    )


@pytest.mark.parametrize("words", [("lock",), ("sync",)])
def test_a_slow_index_as_written_is_unknown(words: tuple[str, ...], world: World) -> None:
    """Where pipenv asks the index itself, a slow one is told as unknown, not as unreachable."""
    world.pipfile('orb-tools = "*"')
    world.env[TOKEN_VARIABLE] = get_token(world.sandbox, world.env, world.folder)
    failing = StandIn(world.folder.parent / "bin", afterwards="sys.exit(1)")
    world.env["PIPENV_CA_PIPENV"] = str(failing.path)
    slow(world, 6, "pages")
    world.fails("no-answer", "--ca-route", "as-written", *words, says="is not known")


def test_explain_looks_again(world: World) -> None:
    """`pipenv-ca explain` finds the cause of the last failure, and that it is gone once mended."""
    world.pipfile('orb-tools = "==7.7"')
    assert world.run("lock").status != 0
    done = world.run("explain")
    assert done.status == 0, done.output
    assert "pipenv lock" in done.stdout
    assert "[version-missing]" in done.stdout
    assert "the newest there is 1.0" in done.stdout
    world.pipfile('orb-tools = "*"')
    again = world.run("explain")
    assert "[version-missing]" not in again.stdout
    assert again.status == 1


def test_other_files_than_the_lock_has(world: World) -> None:
    """Where a version's files are not those that were locked, that is told, not a missing version."""
    world.pipfile('orb-common = "*"')
    assert world.run("lock").status == 0
    path = world.folder / "Pipfile.lock"
    path.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", path.read_text()))
    for words in (("sync",), ("install", "--deploy")):
        world.fails("hash-mismatch", *words, says="none has a hash of the lock")


@pytest.mark.parametrize(
    ("login", "change"),
    [
        (True, ("https://aws:", "http://aws:")),
        (False, ("pypi/team/simple/", "npm/team/")),
        (True, ("amazonaws.com/", "amazonaws.com:8443/")),
        (False, ("amazonaws.com/", "amazonaws.com:8443/")),
    ],
)
def test_a_url_that_is_nearly_right(login: bool, change: tuple[str, str], world: World) -> None:
    """A source that is nearly CodeArtifact's is told with its right form, before pipenv or after."""
    table = source(world.team).replace(*change)
    if not login:
        table = table.replace("aws:${CODEARTIFACT_AUTH_TOKEN}@", "")
    world.pipfile('orb-tools = "*"', PYPI_SOURCE, table)
    done = world.run("lock")
    assert done.status != 0
    assert re.search(r"\[(token-elsewhere|near-miss)\]", done.stderr)
    assert world.team.simple_url.partition("://")[2] in done.stderr
