"""The downloads of a lock, and its use of data from the public index."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.state import RequestRecord

pytestmark = pytest.mark.wide

NOW = datetime.now(timezone.utc)
OLD, NEW = NOW - timedelta(days=900), NOW - timedelta(days=2)
USER = 'user = "*"'
BOTH = {"pub-lic": "2.0", "user": "1.0"}
PUBLIC_HOST = "pypi.org"


NAMES = ("pub-lic", "user", "team-app", "team-lib", "built")


class Downloads(NamedTuple):
    """A command's result and its GET requests."""

    done: Result
    asked: list[RequestRecord]

    def bytes_of(self, *names: str) -> int:
        """Return the bytes of files of some packages, by default of all."""
        files = (r for r in self.asked if r.path.endswith((".whl", ".gz")))
        return sum(r.body_bytes for r in files if r.name in (names or NAMES))

    @property
    def names_sent_to_public(self) -> set[str | None]:
        return {r.name for r in self.asked if r.host == PUBLIC_HOST}


class Indexes(NamedTuple):
    """A CodeArtifact with the public index as upstream, that index itself, and a project.

    ``pub-lic`` has an old 1.0 and a new 2.0; ``team-app`` and ``team-lib`` are private.
    """

    sandbox: Sandbox
    sizes: dict[str, int]
    project: Path
    env: dict[str, str]

    def write(self, packages: str, *more: str, public: bool = True) -> None:
        own = source(self.sandbox.endpoint)
        tables = [PYPI_SOURCE, own] if public else [own]
        write_pipfile(self.project, *tables, f"[packages]\n{packages}\n", *more)

    def run(self, *words: str, program: str = PIPENV_CA) -> Downloads:
        before = len(self.sandbox.requests)
        done = run(program, *words, env=self.env, cwd=self.project)
        asked = self.sandbox.requests[before:]
        return Downloads(done, [request for request in asked if request.method == "GET"])

    def lock(self, program: str = PIPENV_CA) -> Downloads:
        """Lock without an existing lock."""
        (self.project / "Pipfile.lock").unlink(missing_ok=True)
        downloads = self.run("lock", program=program)
        assert downloads.done.status == 0, downloads.done.output
        return downloads

    def versions(self) -> dict[str, str]:
        entries = json.loads((self.project / "Pipfile.lock").read_text())["default"]
        return {name: entry["version"].removeprefix("==") for name, entry in entries.items()}

    def beside(self, folder: Path) -> Indexes:
        """Return the same with another project, which has an equal Pipfile."""
        folder.mkdir()
        (folder / "Pipfile").write_bytes((self.project / "Pipfile").read_bytes())
        return self._replace(project=folder)


@pytest.fixture
def indexes(
    tmp_path: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    project: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Indexes]:
    public, private = tmp_path / "public", tmp_path / "private"
    files = [make_wheel(public, "pub-lic", version) for version in ("1.0", "2.0")]
    files += [make_wheel(public, "user", "1.0", ["pub-lic"])]
    files += [make_sdist(public, "built", "1.0", ["pub-lic"])]
    files += [make_wheel(private, "team-app", "1.0", ["team-lib", "pub-lic"])]
    files += [make_wheel(private, "team-lib", "1.0")]
    sizes = {path.name.partition("-")[0].replace("_", "-"): path.stat().st_size for path in files}
    behaviour = getattr(request, "param", Behaviour())
    with Sandbox([private], public=public, base=clean_base, behaviour=behaviour) as sandbox:
        sandbox.set_public("user", "1.0", uploaded=OLD)
        sandbox.set_public("pub-lic", "1.0", uploaded=OLD)
        sandbox.set_public("pub-lic", "2.0", uploaded=NEW)
        caches = {name: str(tmp_path / name) for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR")}
        env = sandbox.environ(clean_env) | caches
        env.pop("PIP_FIND_LINKS", None)
        yield Indexes(sandbox, sizes, project, env)


def test_a_second_lock_downloads_nothing(indexes: Indexes, tmp_path: Path) -> None:
    indexes.write(f'{USER}\nbuilt = "*"', public=False)
    first = indexes.lock()
    locked = (indexes.project / "Pipfile.lock").read_bytes()
    for name in ("user", "built"):  # a wheel and an sdist
        assert first.bytes_of(name) == indexes.sizes[name]
    assert not first.names_sent_to_public
    assert indexes.lock().bytes_of() == 0
    other = indexes.beside(tmp_path / "other")
    assert other.lock().bytes_of() == 0
    assert (other.project / "Pipfile.lock").read_bytes() == locked


@pytest.mark.parametrize("is_public_first", [True, False])
def test_with_the_public_index_no_wheel_is_downloaded_and_its_packages_name_it(
    indexes: Indexes, is_public_first: bool
) -> None:
    sources = [source(indexes.sandbox.endpoint), PYPI_SOURCE]
    sources = sources[::-1] if is_public_first else sources
    write_pipfile(indexes.project, *sources, f"[packages]\n{USER}\n")
    assert indexes.lock().bytes_of() == 0
    assert indexes.versions() == BOTH
    assert (indexes.project / "Pipfile.lock").read_text().count('"index": "pypi"') == len(BOTH)


@pytest.mark.parametrize(
    "indexes",
    [Behaviour(ranges=True), Behaviour(redirect=302), Behaviour(metadata=True)],
    ids=["ranges", "redirect", "metadata"],
    indirect=True,
)
def test_little_of_a_large_wheel_is_downloaded(indexes: Indexes, tmp_path: Path) -> None:
    matter = random.Random(1).randbytes(300_000).hex()  # noqa: S311 - it only takes room
    big = make_wheel(tmp_path / "more", "team-lib", "9.0", modules={"big.py": f"'{matter}'"})
    indexes.sandbox.publish(big)
    indexes.write('team-lib = "*"', public=False)
    assert indexes.lock().bytes_of() < big.stat().st_size / 2
    assert indexes.versions() == {"team-lib": "9.0"}
    assert indexes.lock().bytes_of() == 0


def test_private_names_are_not_sent_to_the_public_index(indexes: Indexes) -> None:
    entry = '{version = "*", index = "codeartifact"}'
    indexes.write(f"team-app = {entry}\nteam-lib = {entry}")
    for _ in range(2):  # the second time the lock also names private packages
        downloads = indexes.run("lock")
        assert downloads.done.status == 0, downloads.done.output
        assert not downloads.names_sent_to_public & {"team-app", "team-lib"}
        assert "pub-lic" in downloads.names_sent_to_public
    assert indexes.versions() == {"pub-lic": "2.0", "team-app": "1.0", "team-lib": "1.0"}


def test_each_page_is_requested_once(indexes: Indexes) -> None:
    indexes.write(f'{USER}\nteam-app = "*"')
    pages = [r.name for r in indexes.lock().asked if r.path.endswith("/")]
    assert {name: pages.count(name) for name in NAMES[:4]} == dict.fromkeys(NAMES[:4], 2)


def test_install_downloads_each_wheel_once(indexes: Indexes, tmp_path: Path) -> None:
    indexes.write('team-app = "*"', public=False)
    first = indexes.run("install")
    assert first.done.status == 0, first.done.output
    for name in ("team-app", "team-lib"):
        assert first.bytes_of(name) == indexes.sizes[name]
    second = indexes.beside(tmp_path / "other").run("install")
    assert (second.done.status, second.bytes_of()) == (0, 0), second.done.output


COOL_DOWN = '[pipenv]\ncool-down-period = "30d"\n'


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
@pytest.mark.parametrize("yanked", [True, False])
def test_yanked_and_new_public_releases_are_skipped_as_by_pipenv(
    indexes: Indexes, yanked: bool
) -> None:
    """A cool-down spares private releases."""
    if yanked:
        indexes.sandbox.set_public("pub-lic", "2.0", yanked="broken")
    more = [] if yanked else [COOL_DOWN]
    indexes.write(USER, *more)
    token = get_token(indexes.sandbox, indexes.env, indexes.project)
    bare = indexes._replace(env=indexes.env | {"CODEARTIFACT_AUTH_TOKEN": token})
    for project, program in ((bare, PIPENV), (indexes, PIPENV_CA)):
        project.lock(program)
        assert project.versions() == {"pub-lic": "1.0", "user": "1.0"}
    indexes.write('team-app = "*"', *more)
    indexes.lock()
    assert indexes.versions() == {"pub-lic": "1.0", "team-app": "1.0", "team-lib": "1.0"}


def test_a_failure_due_to_the_cool_down_is_explained(indexes: Indexes) -> None:
    indexes.write('pub-lic = ">=2"', COOL_DOWN)
    done = indexes.run("lock").done
    assert done.status != 0
    assert "error: The cool-down excludes pub-lic>=2" in done.stderr
    assert f"{NEW:%Y-%m-%d}" in done.stderr
    assert "[cool-down]" in done.stderr


def test_uploaded_prior_to_works_through_the_index(indexes: Indexes) -> None:
    indexes.write(USER)
    day = f"{NOW - timedelta(days=30):%Y-%m-%d}"
    done = indexes.run("run", "pip", "install", "--uploaded-prior-to", day, "user").done
    assert done.status == 0, done.output
    assert "pub-lic-1.0" in done.stdout


def test_a_failing_public_index_is_a_warning_or_with_a_cool_down_an_error(
    indexes: Indexes,
) -> None:
    indexes.sandbox.fault(503, on="public")
    indexes.write(USER)
    said = indexes.lock().done.stderr
    assert "warning: Source pypi did not answer, so upload times and withdrawals of pub-lic" in said
    (indexes.project / "Pipfile.lock").unlink()
    indexes.write(USER, COOL_DOWN)
    done = indexes.run("lock").done
    assert done.status != 0
    assert "They are not used, because the project has a cool-down." in done.stderr
    assert not (indexes.project / "Pipfile.lock").exists()
