"""What a lock downloads, and what of the public index's pages it keeps to."""

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

pytestmark = pytest.mark.wide

NOW = datetime.now(timezone.utc)
OLD, NEW = NOW - timedelta(days=900), NOW - timedelta(days=2)
PACKAGES = '[packages]\nuser = "*"\n'
PUBLIC_HOST = "pypi.org"


class World(NamedTuple):
    """A CodeArtifact with the public index behind it, and that index itself, both slow and real.

    ``user`` of the public index needs ``pub-lic``, which has an old 1.0 and a new 2.0; ``team-app`` is
    private and needs ``team-lib``, which is private too, and ``pub-lic``.
    """

    sandbox: Sandbox
    sizes: dict[str, int]

    def lock(
        self, project: Path, env: dict[str, str], *words: str, program: str = PIPENV_CA
    ) -> Seen:
        """Lock from nothing."""
        (project / "Pipfile.lock").unlink(missing_ok=True)
        return self.run(project, env, *(words or ("lock",)), program=program)

    def run(
        self, project: Path, env: dict[str, str], *words: str, program: str = PIPENV_CA
    ) -> Seen:
        before = len(self.sandbox.requests)
        done = run(program, *words, env=env, cwd=project)
        asked = [r for r in self.sandbox.requests[before:] if r.method == "GET"]
        wheels = [r for r in asked if r.path.endswith((".whl", ".gz")) and r.name in NAMES]
        return Seen(
            done,
            {name: sum(r.body_bytes for r in wheels if r.name == name) for name in NAMES},
            {(r.host, r.path) for r in asked},
            [r.path.rstrip("/").rpartition("/")[2] for r in asked if r.path.endswith("/")],
        )


class Seen(NamedTuple):
    """What a command did: its end, bytes of files by package, all requests, names of pages."""

    done: Result
    bytes: dict[str, int]
    asked: set[tuple[str, str]]
    pages: list[str]

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


NAMES = ("pub-lic", "user", "team-app", "team-lib", "built")


def make_public(folder: Path) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(folder, "pub-lic", version)
    make_wheel(folder, "user", "1.0", ["pub-lic"])
    make_sdist(folder, "built", "1.0", ["pub-lic"])


@pytest.fixture
def world(
    tmp_path: Path, clean_base: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[World]:
    public, private = tmp_path / "public", tmp_path / "private"
    make_public(public)
    make_wheel(private, "team-app", "1.0", ["team-lib", "pub-lic"])
    make_wheel(private, "team-lib", "1.0")
    files = [*public.iterdir(), *private.iterdir()]
    sizes = {path.name.partition("-")[0].replace("_", "-"): path.stat().st_size for path in files}
    behaviour = getattr(request, "param", Behaviour())
    with Sandbox([private], public=public, base=clean_base, behaviour=behaviour) as sandbox:
        sandbox.set_public("user", "1.0", uploaded=OLD)
        sandbox.set_public("pub-lic", "1.0", uploaded=OLD)
        sandbox.set_public("pub-lic", "2.0", uploaded=NEW)
        yield World(sandbox, sizes)


@pytest.fixture
def env(world: World, clean_env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Return an environment whose caches are new."""
    caches = {name: str(tmp_path / name) for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR")}
    made = world.sandbox.environ(clean_env) | caches
    return {name: value for name, value in made.items() if name != "PIP_FIND_LINKS"}


@pytest.fixture
def bare_env(world: World, env: dict[str, str], project: Path) -> dict[str, str]:
    token = get_token(world.sandbox, env, project)
    return env | {"CODEARTIFACT_AUTH_TOKEN": token}


def own(world: World) -> str:
    return source(world.sandbox.endpoint)


def versions(project: Path) -> dict[str, str]:
    entries = json.loads((project / "Pipfile.lock").read_text())["default"]
    return {name: entry["version"] for name, entry in entries.items()}


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_a_second_lock_downloads_nothing(
    world: World, env: dict[str, str], bare_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    write_pipfile(project, own(world), PACKAGES)
    first = world.lock(project, env)
    assert first.done.status == 0, first.done.output
    locked = (project / "Pipfile.lock").read_bytes()
    assert first.bytes["user"] == world.sizes["user"]
    assert world.lock(project, env).total == 0
    other = tmp_path / "other"
    other.mkdir()
    write_pipfile(other, own(world), PACKAGES)
    assert world.lock(other, env).total == 0
    assert (other / "Pipfile.lock").read_bytes() == locked
    assert not [host for host, _ in first.asked if host == PUBLIC_HOST]
    # Bare pipenv, which fetches them each time, locks the same.
    assert world.lock(project, bare_env, program=PIPENV).total == first.total
    assert (project / "Pipfile.lock").read_bytes() == locked


@pytest.mark.parametrize("is_public_first", [True, False])
def test_with_the_public_index_no_wheel_is_downloaded(
    world: World, env: dict[str, str], project: Path, is_public_first: bool
) -> None:
    sources = [PYPI_SOURCE, own(world)] if is_public_first else [own(world), PYPI_SOURCE]
    write_pipfile(project, *sources, PACKAGES)
    seen = world.lock(project, env)
    assert seen.done.status == 0, seen.done.output
    assert seen.total == 0
    assert versions(project) == {"pub-lic": "==2.0", "user": "==1.0"}


@pytest.mark.parametrize(
    "world",
    [Behaviour(ranges=True), Behaviour(redirect=302), Behaviour(metadata=True)],
    ids=["ranges", "redirect", "metadata"],
    indirect=True,
)
def test_little_of_a_large_wheel_is_downloaded(
    world: World, env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    matter = random.Random(1).randbytes(300_000).hex()  # noqa: S311 - it only takes room
    big = make_wheel(tmp_path / "more", "team-lib", "9.0", modules={"big.py": f"'{matter}'"})
    world.sandbox.publish(big)
    write_pipfile(project, own(world), '[packages]\nteam-lib = "*"\n')
    seen = world.lock(project, env)
    assert seen.done.status == 0, seen.done.output
    assert versions(project) == {"team-lib": "==9.0"}
    assert seen.total < big.stat().st_size / 2
    assert world.lock(project, env).total == 0


def test_private_names_are_not_sent_to_the_public_index(
    world: World, env: dict[str, str], project: Path
) -> None:
    packages = '[packages]\nteam-app = {version = "*", index = "codeartifact"}\n'
    packages += 'team-lib = {version = "*", index = "codeartifact"}\n'
    write_pipfile(project, PYPI_SOURCE, own(world), packages)
    for _ in range(2):  # the second time the lock says what is private, too
        seen = world.run(project, env, "lock")
        assert seen.done.status == 0, seen.done.output
        assert not [path for host, path in seen.asked if host == PUBLIC_HOST and "team" in path]
    assert versions(project) == {"pub-lic": "==2.0", "team-app": "==1.0", "team-lib": "==1.0"}


def test_each_page_is_requested_once(world: World, env: dict[str, str], project: Path) -> None:
    write_pipfile(project, PYPI_SOURCE, own(world), f'{PACKAGES}team-app = "*"\n')
    seen = world.lock(project, env)
    assert seen.done.status == 0, seen.done.output
    # (pip and setuptools are virtualenv's.)
    for name in NAMES[:4]:
        assert seen.pages.count(name) == 2, (name, seen.pages)


def test_install_downloads_each_wheel_once(
    world: World, env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for folder in (project, other):
        write_pipfile(folder, own(world), '[packages]\nteam-app = "*"\n')
    first = world.run(project, env, "install")
    assert first.done.status == 0, first.done.output
    wanted = {name: world.sizes[name] for name in ("team-app", "team-lib")}
    assert {name: first.bytes[name] for name in wanted} == wanted
    second = world.run(other, env, "install")
    assert second.done.status == 0, second.done.output
    assert second.total == 0


def test_an_sdist_is_downloaded_once(world: World, env: dict[str, str], project: Path) -> None:
    write_pipfile(project, own(world), '[packages]\nbuilt = "*"\n')
    first = world.lock(project, env)
    assert first.done.status == 0, first.done.output
    assert first.bytes["built"] == world.sizes["built"]
    assert world.lock(project, env).bytes["built"] == 0


def test_a_file_that_is_404_for_a_moment_is_retried(
    world: World, env: dict[str, str], project: Path
) -> None:
    world.sandbox.fault(404, times=2, on="files", name="team-lib")
    write_pipfile(project, own(world), '[packages]\nteam-lib = "*"\n')
    seen = world.lock(project, env)
    assert seen.done.status == 0, seen.done.output


def both(world: World) -> str:
    return f"{PYPI_SOURCE}\n{own(world)}"


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_yanked_releases_are_skipped_as_by_pipenv(
    world: World, env: dict[str, str], bare_env: dict[str, str], project: Path
) -> None:
    world.sandbox.set_public("pub-lic", "2.0", yanked="broken")
    write_pipfile(project, both(world), PACKAGES)
    for environ, program in ((bare_env, PIPENV), (env, PIPENV_CA)):
        seen = world.lock(project, environ, program=program)
        assert seen.done.status == 0, seen.done.output
        assert versions(project)["pub-lic"] == "==1.0"


COOL_DOWN = '[pipenv]\ncool-down-period = "30d"\n'


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_a_cool_down_skips_new_public_releases_only(
    world: World, env: dict[str, str], bare_env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, both(world), PACKAGES, COOL_DOWN)
    for environ, program in ((bare_env, PIPENV), (env, PIPENV_CA)):
        seen = world.lock(project, environ, program=program)
        assert seen.done.status == 0, seen.done.output
        assert versions(project)["pub-lic"] == "==1.0"
    write_pipfile(project, both(world), '[packages]\nteam-app = "*"\n', COOL_DOWN)
    seen = world.lock(project, env)
    assert seen.done.status == 0, seen.done.output
    assert versions(project) == {"pub-lic": "==1.0", "team-app": "==1.0", "team-lib": "==1.0"}


def test_a_failure_due_to_the_cool_down_is_explained(
    world: World, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, both(world), '[packages]\npub-lic = ">=2"\n', COOL_DOWN)
    seen = world.lock(project, env)
    assert seen.done.status != 0
    assert "error: The cool-down holds pub-lic>=2 back" in seen.done.stderr
    assert f"{NEW:%Y-%m-%d}" in seen.done.stderr
    assert "[cool-down]" in seen.done.stderr


def test_uploaded_prior_to_works_through_the_index(
    world: World, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, both(world), PACKAGES)
    assert (
        run(PIPENV_CA, "run", "python", "-m", "pip", "--version", env=env, cwd=project).status == 0
    )
    words = ["run", "pip", "install", "--uploaded-prior-to", f"{NOW - timedelta(days=30):%Y-%m-%d}"]
    seen = world.run(project, env, *words, "user")
    assert seen.done.status == 0, seen.done.output
    assert "pub-lic-1.0" in seen.done.stdout


def test_a_failing_public_index_is_a_warning_or_with_a_cool_down_an_error(
    world: World, env: dict[str, str], project: Path
) -> None:
    world.sandbox.fault(503, on="public")
    write_pipfile(project, both(world), PACKAGES)
    seen = world.lock(project, env)
    assert seen.done.status == 0, seen.done.output
    assert (
        "warning: Source pypi did not answer, so it is not known when pub-lic" in seen.done.stderr
    )
    write_pipfile(project, both(world), PACKAGES, COOL_DOWN)
    seen = world.lock(project, env)
    assert seen.done.status != 0
    assert "They are held back, since the project has a cool-down." in seen.done.stderr
    assert not (project / "Pipfile.lock").exists()
