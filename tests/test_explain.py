"""The explanation after a failed command: one cause, or nothing."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from support.guides import ROOT, section
from support.projects import PYPI_SOURCE, source
from support.runs import TOKEN_VARIABLE, StandIn
from support.sandbox import get_token
from support.users import Workspace

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.programs import Result

pytestmark = pytest.mark.wide

OWN_LINE = re.compile(r"^(?:error|hint): .*$", re.MULTILINE)


class Project(Workspace):
    """A project with a command that fails."""

    def fails(self, code: str, *words: str, says: str = "") -> Result:
        """Run a command that fails, and check that it ends with this cause and a hint."""
        done = self.run(*words)
        assert done.status != 0, done.output
        *_, error, hint = done.stderr.splitlines()
        assert re.fullmatch(rf"error: .* \[{code}\]", error), done.stderr
        assert hint.startswith("hint: ")
        assert says in f"{error}\n{hint}"
        assert self.sandbox.user.secret_access_key not in done.output
        assert "eyJ" not in done.output
        return done


@pytest.fixture
def work(clean_env: dict[str, str], clean_base: dict[str, str], project: Path) -> Iterator[Project]:
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as sandbox:
        workspace = Project(sandbox, sandbox.environ(clean_env), project)
        workspace.publish_wheels(sandbox.endpoint)
        yield workspace


# --- the token ---------------------------------------------------------------------------


def test_a_token_of_another_domain_is_only_suspected_without_credentials(work: Project) -> None:
    work.pipfile('orb-tools = "*"')
    other = work.sandbox.add_repository("team", domain="other-dom")
    work.without_keys()
    work.env[TOKEN_VARIABLE] = get_token(work.sandbox, other)
    work.fails("token-revoked", "lock", says="is for another domain")


def test_the_repository_that_denies_reading_is_named(work: Project) -> None:
    other = work.sandbox.add_repository("team", domain="other-dom")
    work.sandbox.publish(make_wheel(work.folder.parent / "wheels", "acme-b", "1.0"), other)
    work.sandbox.deny("codeartifact:ReadFromRepository", other)
    sources = source(work.team, "aws:${A_TOKEN}@"), source(other, "aws:${B_TOKEN}@", "other")
    work.pipfile('orb-tools = "*"\nacme-b = {version = "*", index = "other"}', *sources)
    work.fails("read-denied", "lock", says="reading from repository team of other-dom")


# --- packages ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["install", "run pip install -U"])
def test_a_misspelt_argument_of_a_command_is_the_cause(command: str, work: Project) -> None:
    tables = (PYPI_SOURCE, source(work.team)) if command == "install" else ()
    work.pipfile('orb-common = "*"', *tables)
    words = (*command.split(), "orb-tolls")
    work.fails("package-missing", *words, says="did you mean orb-tools?")


def test_a_failed_lock_prints_the_lines_of_the_readme(work: Project) -> None:
    wheel = make_wheel(work.folder.parent / "wheels", "acme-invoices", "1.0")
    work.sandbox.publish(wheel, work.team)
    work.pipfile('acme-invocies = "*"', PYPI_SOURCE, source(work.team))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = section(readme, "When it fails").split("```")[1].lstrip("\n")
    assert work.fails("package-missing", "lock").stderr.endswith(shown)


# --- the project's files -----------------------------------------------------------------


def test_an_unset_variable_in_the_url_of_another_index_is_named(work: Project) -> None:
    mirror = PYPI_SOURCE.replace("https://pypi.org", "https://${MIRROR_HOST}")
    work.pipfile('six = "*"', mirror, source(work.team))
    work.fails("variable-unset", "--ca-route", "as-written", "lock", says="MIRROR_HOST")


def test_a_misspelt_url_is_shown_with_the_right_one(work: Project) -> None:
    wrong = source(work.team, "").replace("pypi/team/simple/", "npm/team/")
    work.pipfile('orb-tools = "*"', PYPI_SOURCE, wrong)
    done = work.run("lock")
    assert done.status != 0
    assert "[near-miss]" in done.stderr
    assert work.team.simple_url.partition("://")[2] in done.stderr


# --- cost -----------------------------------------------------------------------


def test_a_successful_command_prints_nothing_and_loads_no_checks(work: Project) -> None:
    work.pipfile('orb-tools = "*"')
    work.env["PYTHONPROFILEIMPORTTIME"] = "1"
    done = work.run("lock")
    assert done.status == 0
    assert OWN_LINE.findall(done.output) == []
    assert "codeartifact_pipenv.wrapper.run" in done.stderr
    assert "codeartifact_pipenv.checks.explain" not in done.stderr
    assert "botocore" in done.stderr  # it was imported for the token: the list is whole


def failing_pipenv(work: Project) -> None:
    """Give commands a token, and a pipenv that fails at once."""
    work.env[TOKEN_VARIABLE] = get_token(work.sandbox)
    failing = StandIn(work.folder.parent / "bin", afterwards="sys.exit(1)")
    work.env["PIPENV_CA_PIPENV"] = str(failing.path)


@pytest.mark.parametrize("public_first", [True, False])
def test_an_index_that_never_answers_is_unreachable(public_first: bool, work: Project) -> None:
    tables = (PYPI_SOURCE, source(work.team)) if public_first else ()
    work.pipfile("\n".join(f'orb-{number} = "*"' for number in range(100)), *tables)
    failing_pipenv(work)
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        work.env |= {"HTTPS_PROXY": address, "https_proxy": address}
        work.env["AWS_EC2_METADATA_DISABLED"] = "true"
        work.fails("unreachable", "lock")


def test_verbose_notes_list_sources_route_token_files_and_variables(work: Project) -> None:
    work.pipfile('orb-tools = "*"', PYPI_SOURCE, source(work.team))
    done = work.run("--ca-verbose", "lock")
    notes = re.findall(r"^note: (\w+ \w+|\w+)", done.stderr, re.MULTILINE)
    sources = ["source pypi", "source codeartifact"]
    assert notes == ["Pipfile", *sources, "route loopback", "token for", "works on", "runs"]
    own = "PIPENV_CUSTOM_VENV_NAME, PIPENV_PIPFILE"
    pip = "PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_NO_INDEX, PIP_TRUSTED_HOST"
    assert f"NETRC, NO_PROXY, {own}, {pip}, TMPDIR, no_proxy set" in done.stderr


# --- unknown causes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packages", "words"), [('orb-tolls = "*"', ("lock",)), ("", ("install", "orb-tolls"))]
)
def test_a_slow_index_is_not_reported_as_unreachable(
    packages: str, words: tuple[str, ...], work: Project
) -> None:
    work.pipfile(packages)
    work.env[TOKEN_VARIABLE] = get_token(work.sandbox)
    work.sandbox.delay(4, on="pages")
    done = work.run(*words)
    assert done.status != 0
    assert "[unreachable]" not in done.stderr
    known = r"\[(package-missing|no-answer|package-not-seen)\]$"
    assert re.search(known, done.stderr, re.MULTILINE)


@pytest.mark.parametrize("command", ["lock", "sync"])
def test_a_slow_index_on_the_direct_route_is_reported_as_unknown(
    command: str, work: Project
) -> None:
    work.pipfile('orb-tools = "*"')
    failing_pipenv(work)
    work.sandbox.delay(6, on="pages")
    work.fails("no-answer", "--ca-route", "as-written", command, says="slow or down")


def test_explain_finds_the_last_cause_until_it_is_fixed(work: Project) -> None:
    work.pipfile('orb-tools = "==7.7"')
    assert work.run("lock").status != 0
    done = work.run("explain")
    assert done.status == 0, done.output
    assert "pipenv lock" in done.stdout
    assert "[version-missing]" in done.stdout
    assert "its newest is 1.0" in done.stdout
    work.pipfile('orb-tools = "*"')
    again = work.run("explain")
    assert "[version-missing]" not in again.stdout
    assert again.status == 1


def test_other_hashes_than_locked_are_the_cause(work: Project) -> None:
    work.pipfile('orb-common = "*"')
    assert work.run("lock").status == 0
    path = work.folder / "Pipfile.lock"
    path.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", path.read_text()))
    for words in (("sync",), ("install", "--deploy")):
        work.fails("hash-mismatch", *words, says="other hashes than those in Pipfile.lock")
