"""What is said after a pipenv that failed: the one cause that fits, or nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support import PIPENV_CA, PYPI_SOURCE, Result, run, source, write_pipfile
from support_runs import TOKEN_VARIABLE, get_token, without_credentials

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
    world.fails("token-revoked", "lock", says="--ca-refresh")
    assert world.run("--ca-refresh", "lock").status == 0


@pytest.mark.parametrize("credentials", [True, False])
def test_token_of_another_domain(credentials: bool, world: World) -> None:
    """An inherited token of another domain is told as that, where the domains can be asked."""
    world.pipfile('orb-tools = "*"')
    endpoint = other_domain(world)
    token = run(PIPENV_CA, "token", endpoint.simple_url, env=world.env, cwd=world.folder)
    world.env[TOKEN_VARIABLE] = token.stdout.strip()
    if credentials:
        world.fails("token-wrong-domain", "lock", says="other-dom (account 123456789012")
    else:
        world.env = without_credentials(world.env)
        world.env["AWS_EC2_METADATA_DISABLED"] = "true"
        world.fails("token-revoked", "lock", says="or is one for another domain")


def test_read_denied(world: World) -> None:
    """A token that may not read is told with the permission that it takes."""
    world.pipfile('orb-tools = "*"')
    world.sandbox.deny("codeartifact:ReadFromRepository")
    world.fails("read-denied", "lock", says="codeartifact:ReadFromRepository")


def test_missing_repository(world: World) -> None:
    """A repository that does not exist is told as that."""
    missing = world.team._replace(repository="taem")
    world.pipfile('orb-tools = "*"', source(missing))
    world.fails("repository-missing", "lock", says="repository taem of my-dom")


# --- packages ----------------------------------------------------------------------------


def test_misspelt_package(world: World) -> None:
    """A package that is nowhere is told with the name that it resembles."""
    world.pipfile('orb-tols = "*"')
    world.fails("package-missing", "lock", says="did you mean orb-tools?")


def test_misspelt_on_the_command_line(world: World) -> None:
    """A name that is typed wrong is told, by loopback too."""
    world.pipfile('orb-common = "*"', PYPI_SOURCE, source(world.team))
    world.fails("package-missing", "install", "orb-tolls", says="did you mean orb-tools?")


def test_misspelt_for_pip(world: World) -> None:
    """A name that is typed wrong for pip is told, too."""
    world.pipfile('orb-common = "*"')
    world.fails("package-missing", "run", "pip", "install", "-U", "orb-tolls", says="orb-tools?")


@pytest.mark.parametrize("public_first", [True, False])
def test_missing_version(public_first: bool, world: World) -> None:
    """A version that does not exist is told with the newest that does."""
    tables = (PYPI_SOURCE, source(world.team)) if public_first else ()
    world.pipfile('orb-tools = "==7.7"', *tables)
    world.fails("version-missing", "lock", says="the newest there is 1.0")


def test_python_excluded(world: World) -> None:
    """A package that wants another Python is told with both versions."""
    world.pipfile('orb-future = "*"')
    world.fails("python-excluded", "lock", says="needs Python >=3.99")


def test_no_index_for_bare_pipenv(world: World) -> None:
    """As written, a private package without its index is looked for in the first source only."""
    world.pipfile('orb-tools = "*"', PYPI_SOURCE, source(world.team))
    world.fails("index-missing", "--ca-route", "as-written", "lock", says='index = "codeartifact"')
    assert world.run("lock").status == 0


def test_without_public_upstream(world: World) -> None:
    """A public package in a repository that is not connected to PyPI is told as that."""
    world.pipfile('six = "*"', source(world.lonely))
    world.fails("no-public-upstream", "lock", says="public:pypi")


# --- the project's files -----------------------------------------------------------------


def test_url_without_simple(world: World) -> None:
    """A URL that leads past the index is told."""
    table = source(world.team).replace("/simple/", "/")
    world.pipfile('orb-tools = "*"', table)
    world.fails("url-without-simple", "lock", says="/pypi/team/simple/")


def test_wrong_username(world: World) -> None:
    """A username that CodeArtifact does not take is told."""
    world.pipfile('orb-tools = "*"', source(world.team, userinfo=f"bob:${{{TOKEN_VARIABLE}}}@"))
    world.fails("url-username", "lock", says="'bob'")


def test_literal_token(world: World) -> None:
    """A token in the Pipfile that has ended is told, without repeating it."""
    token = get_token(world.sandbox, world.env, world.folder)
    world.sandbox.revoke_tokens()
    world.pipfile('orb-tools = "*"', source(world.team, userinfo=f"aws:{token}@"))
    world.fails("url-token", "--ca-refresh", "lock", says="${CODEARTIFACT_AUTH_TOKEN}")


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


def test_outdated_lock(world: World) -> None:
    """A lock of another Pipfile is told where it is what stops the command."""
    world.pipfile('orb-common = "*"')
    assert world.run("lock").status == 0
    world.pipfile('orb-common = "*"\norb-tools = "*"')
    world.fails("lock-outdated", "install", "--deploy", says="pipenv-ca lock")


# --- what is none of ours ----------------------------------------------------------------


def test_compiler_error(world: World) -> None:
    """A package that cannot be built is pipenv's own story."""
    world.pipfile('orb-common = "*"', PYPI_SOURCE, source(world.team))
    (world.folder / "setup.py").write_text("raise SystemExit('no compiler here')\n")
    world.fails(None, "install", "-e", ".")


def test_conflict(world: World) -> None:
    """Packages that exclude each other are pipenv's own story."""
    world.pipfile('jinja2 = "==3.1.4"\nmarkupsafe = "<2"')
    world.fails(None, "lock")


def test_success_says_nothing(world: World) -> None:
    """A command that does its work has nothing added to it."""
    world.pipfile('orb-tools = "*"')
    done = world.run("lock")
    assert done.status == 0
    assert OWN_LINE.findall(done.output) == []
