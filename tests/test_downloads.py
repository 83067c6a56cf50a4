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

pytestmark = pytest.mark.wide

NOW = datetime.now(timezone.utc)
OLD, NEW = NOW - timedelta(days=900), NOW - timedelta(days=2)
PACKAGES = '[packages]\nuser = "*"\n'
PUBLIC_HOST = "pypi.org"


class Indexes(NamedTuple):
    """A CodeArtifact with the public index as upstream, and that index itself.

    The public ``user`` needs ``pub-lic``, which has an old 1.0 and a new 2.0; the private ``team-app``
    needs ``pub-lic`` and the private ``team-lib``.
    """

    sandbox: Sandbox
    sizes: dict[str, int]

    def lock(
        self, project: Path, env: dict[str, str], *words: str, program: str = PIPENV_CA
    ) -> Downloads:
        """Lock without an existing lock."""
        (project / "Pipfile.lock").unlink(missing_ok=True)
        return self.run(project, env, *(words or ("lock",)), program=program)

    def run(
        self, project: Path, env: dict[str, str], *words: str, program: str = PIPENV_CA
    ) -> Downloads:
        before = len(self.sandbox.requests)
        done = run(program, *words, env=env, cwd=project)
        asked = [r for r in self.sandbox.requests[before:] if r.method == "GET"]
        wheels = [r for r in asked if r.path.endswith((".whl", ".gz")) and r.name in NAMES]
        return Downloads(
            done,
            {name: sum(r.body_bytes for r in wheels if r.name == name) for name in NAMES},
            {(r.host, r.path) for r in asked},
            [r.path.rstrip("/").rpartition("/")[2] for r in asked if r.path.endswith("/")],
        )


class Downloads(NamedTuple):
    """A command's result, bytes of files by package, requests, and names of pages."""

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
def indexes(
    tmp_path: Path, clean_base: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Indexes]:
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
        yield Indexes(sandbox, sizes)


@pytest.fixture
def env(indexes: Indexes, clean_env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Return an environment with empty caches."""
    caches = {name: str(tmp_path / name) for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR")}
    made = indexes.sandbox.environ(clean_env) | caches
    return {name: value for name, value in made.items() if name != "PIP_FIND_LINKS"}


@pytest.fixture
def bare_env(indexes: Indexes, env: dict[str, str], project: Path) -> dict[str, str]:
    token = get_token(indexes.sandbox, env, project)
    return env | {"CODEARTIFACT_AUTH_TOKEN": token}


def own(indexes: Indexes) -> str:
    return source(indexes.sandbox.endpoint)


def versions(project: Path) -> dict[str, str]:
    entries = json.loads((project / "Pipfile.lock").read_text())["default"]
    return {name: entry["version"] for name, entry in entries.items()}


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_a_second_lock_downloads_nothing(
    indexes: Indexes, env: dict[str, str], bare_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    write_pipfile(project, own(indexes), PACKAGES)
    first = indexes.lock(project, env)
    assert first.done.status == 0, first.done.output
    locked = (project / "Pipfile.lock").read_bytes()
    assert first.bytes["user"] == indexes.sizes["user"]
    assert indexes.lock(project, env).total == 0
    other = tmp_path / "other"
    other.mkdir()
    write_pipfile(other, own(indexes), PACKAGES)
    assert indexes.lock(other, env).total == 0
    assert (other / "Pipfile.lock").read_bytes() == locked
    assert not [host for host, _ in first.asked if host == PUBLIC_HOST]
    # Plain pipenv downloads them each time and locks the same.
    assert indexes.lock(project, bare_env, program=PIPENV).total == first.total
    assert (project / "Pipfile.lock").read_bytes() == locked


@pytest.mark.parametrize("is_public_first", [True, False])
def test_with_the_public_index_no_wheel_is_downloaded(
    indexes: Indexes, env: dict[str, str], project: Path, is_public_first: bool
) -> None:
    sources = [PYPI_SOURCE, own(indexes)] if is_public_first else [own(indexes), PYPI_SOURCE]
    write_pipfile(project, *sources, PACKAGES)
    downloads = indexes.lock(project, env)
    assert downloads.done.status == 0, downloads.done.output
    assert downloads.total == 0
    assert versions(project) == {"pub-lic": "==2.0", "user": "==1.0"}


@pytest.mark.parametrize(
    "indexes",
    [Behaviour(ranges=True), Behaviour(redirect=302), Behaviour(metadata=True)],
    ids=["ranges", "redirect", "metadata"],
    indirect=True,
)
def test_little_of_a_large_wheel_is_downloaded(
    indexes: Indexes, env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    matter = random.Random(1).randbytes(300_000).hex()  # noqa: S311 - it only takes room
    big = make_wheel(tmp_path / "more", "team-lib", "9.0", modules={"big.py": f"'{matter}'"})
    indexes.sandbox.publish(big)
    write_pipfile(project, own(indexes), '[packages]\nteam-lib = "*"\n')
    downloads = indexes.lock(project, env)
    assert downloads.done.status == 0, downloads.done.output
    assert versions(project) == {"team-lib": "==9.0"}
    assert downloads.total < big.stat().st_size / 2
    assert indexes.lock(project, env).total == 0


def test_private_names_are_not_sent_to_the_public_index(
    indexes: Indexes, env: dict[str, str], project: Path
) -> None:
    packages = '[packages]\nteam-app = {version = "*", index = "codeartifact"}\n'
    packages += 'team-lib = {version = "*", index = "codeartifact"}\n'
    write_pipfile(project, PYPI_SOURCE, own(indexes), packages)
    for _ in range(2):  # the second time the lock also names private packages
        downloads = indexes.run(project, env, "lock")
        assert downloads.done.status == 0, downloads.done.output
        assert not [
            path for host, path in downloads.asked if host == PUBLIC_HOST and "team" in path
        ]
    assert versions(project) == {"pub-lic": "==2.0", "team-app": "==1.0", "team-lib": "==1.0"}


def test_each_page_is_requested_once(indexes: Indexes, env: dict[str, str], project: Path) -> None:
    write_pipfile(project, PYPI_SOURCE, own(indexes), f'{PACKAGES}team-app = "*"\n')
    downloads = indexes.lock(project, env)
    assert downloads.done.status == 0, downloads.done.output
    for name in NAMES[:4]:
        assert downloads.pages.count(name) == 2, (name, downloads.pages)


def test_install_downloads_each_wheel_once(
    indexes: Indexes, env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for folder in (project, other):
        write_pipfile(folder, own(indexes), '[packages]\nteam-app = "*"\n')
    first = indexes.run(project, env, "install")
    assert first.done.status == 0, first.done.output
    wanted = {name: indexes.sizes[name] for name in ("team-app", "team-lib")}
    assert {name: first.bytes[name] for name in wanted} == wanted
    second = indexes.run(other, env, "install")
    assert second.done.status == 0, second.done.output
    assert second.total == 0


def test_an_sdist_is_downloaded_once(indexes: Indexes, env: dict[str, str], project: Path) -> None:
    write_pipfile(project, own(indexes), '[packages]\nbuilt = "*"\n')
    first = indexes.lock(project, env)
    assert first.done.status == 0, first.done.output
    assert first.bytes["built"] == indexes.sizes["built"]
    assert indexes.lock(project, env).bytes["built"] == 0


def both(indexes: Indexes) -> str:
    return f"{PYPI_SOURCE}\n{own(indexes)}"


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_yanked_releases_are_skipped_as_by_pipenv(
    indexes: Indexes, env: dict[str, str], bare_env: dict[str, str], project: Path
) -> None:
    indexes.sandbox.set_public("pub-lic", "2.0", yanked="broken")
    write_pipfile(project, both(indexes), PACKAGES)
    for environ, program in ((bare_env, PIPENV), (env, PIPENV_CA)):
        downloads = indexes.lock(project, environ, program=program)
        assert downloads.done.status == 0, downloads.done.output
        assert versions(project)["pub-lic"] == "==1.0"


COOL_DOWN = '[pipenv]\ncool-down-period = "30d"\n'


@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_a_cool_down_skips_new_public_releases_only(
    indexes: Indexes, env: dict[str, str], bare_env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, both(indexes), PACKAGES, COOL_DOWN)
    for environ, program in ((bare_env, PIPENV), (env, PIPENV_CA)):
        downloads = indexes.lock(project, environ, program=program)
        assert downloads.done.status == 0, downloads.done.output
        assert versions(project)["pub-lic"] == "==1.0"
    write_pipfile(project, both(indexes), '[packages]\nteam-app = "*"\n', COOL_DOWN)
    downloads = indexes.lock(project, env)
    assert downloads.done.status == 0, downloads.done.output
    assert versions(project) == {"pub-lic": "==1.0", "team-app": "==1.0", "team-lib": "==1.0"}


def test_a_failure_due_to_the_cool_down_is_explained(
    indexes: Indexes, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, both(indexes), '[packages]\npub-lic = ">=2"\n', COOL_DOWN)
    downloads = indexes.lock(project, env)
    assert downloads.done.status != 0
    assert "error: The cool-down excludes pub-lic>=2" in downloads.done.stderr
    assert f"{NEW:%Y-%m-%d}" in downloads.done.stderr
    assert "[cool-down]" in downloads.done.stderr


def test_uploaded_prior_to_works_through_the_index(
    indexes: Indexes, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, both(indexes), PACKAGES)
    assert (
        run(PIPENV_CA, "run", "python", "-m", "pip", "--version", env=env, cwd=project).status == 0
    )
    words = ["run", "pip", "install", "--uploaded-prior-to", f"{NOW - timedelta(days=30):%Y-%m-%d}"]
    downloads = indexes.run(project, env, *words, "user")
    assert downloads.done.status == 0, downloads.done.output
    assert "pub-lic-1.0" in downloads.done.stdout


def test_a_failing_public_index_is_a_warning_or_with_a_cool_down_an_error(
    indexes: Indexes, env: dict[str, str], project: Path
) -> None:
    indexes.sandbox.fault(503, on="public")
    write_pipfile(project, both(indexes), PACKAGES)
    downloads = indexes.lock(project, env)
    assert downloads.done.status == 0, downloads.done.output
    assert (
        "warning: Source pypi did not answer, so upload times and withdrawals of pub-lic"
        in downloads.done.stderr
    )
    write_pipfile(project, both(indexes), PACKAGES, COOL_DOWN)
    downloads = indexes.lock(project, env)
    assert downloads.done.status != 0
    assert "They are not used, because the project has a cool-down." in downloads.done.stderr
    assert not (project / "Pipfile.lock").exists()
