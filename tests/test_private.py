"""A private package comes from its repository or from nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn, get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


pytestmark = pytest.mark.wide

PUBLIC_HOST = "pypi.org"
STRANGE = "99.0.0"


class PrivateProject(NamedTuple):
    """A project with repositories, and a public index that has versions of private names.

    Only repository ``all`` reaches the public index.
    """

    sandbox: Sandbox
    folder: Path
    env: dict[str, str]

    def url(self, repository: str) -> str:
        return self.sandbox.endpoint._replace(repository=repository).simple_url

    def write(self, packages: str, *repositories: str, public: bool = True) -> None:
        tables = [
            source(self.sandbox.endpoint._replace(repository=name), name=name)
            for name in repositories
        ]
        first = [PYPI_SOURCE] if public else []
        write_pipfile(self.folder, *first, *tables, f"[packages]\n{packages}\n")

    def run(self, *words: str, **env: str) -> Seen:
        before = len(self.sandbox.requests)
        done = run(PIPENV_CA, *words, env=self.env | env, cwd=self.folder)
        asked = self.sandbox.requests[before:]
        return Seen(done, [r.name for r in asked if r.host == PUBLIC_HOST and r.name])

    def well(self, *words: str, **env: str) -> Seen:
        seen = self.run(*words, **env)
        assert seen.done.status == 0, seen.done.output
        return seen

    def fails_to_lock(self, *parts: str, **env: str) -> Seen:
        seen = self.run("lock", **env)
        seen.fails(*parts)
        assert not self.lock.exists()
        return seen

    @property
    def lock(self) -> Path:
        return self.folder / "Pipfile.lock"

    def locked(self) -> dict[str, tuple[str, str]]:
        """Return version and index of each package in the lock."""
        entries = json.loads(self.lock.read_text())["default"]
        return {
            name: (entry["version"].lstrip("="), entry.get("index", ""))
            for name, entry in entries.items()
        }


class Seen(NamedTuple):
    """The result of a command, and the names that the public index was asked for."""

    done: Result
    public: list[str]

    def fails(self, *parts: str) -> None:
        assert self.done.status != 0, self.done.output
        for part in parts:
            assert part in self.done.stderr, self.done.stderr


BOTH = [("pub-lic", "1.0"), ("team-lib", "1.0")]
TEAM = {"team-app": ("1.0", "team"), "team-lib": ("1.0", "team"), "pub-lic": ("1.0", "pypi")}


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("packages")
    make_wheel(folder / "public", "pub-lic", "1.0")
    for name in ("team-app", "team-lib"):
        make_wheel(folder / "public", name, STRANGE)
    app = make_wheel(folder, "team-app", "1.0", ["team-lib", "pub-lic"])
    lib = make_wheel(folder, "team-lib", "1.0")
    public = folder / "public"
    with Sandbox(
        repository="team", upstream=False, public=public, serve_public=True, base=clean_base
    ) as running:
        running.publish(app)
        running.publish(lib)
        running.add_repository("empty")
        running.publish(lib, running.add_repository("all", upstream=True))
        yield running


@pytest.fixture
def work(
    sandbox: Sandbox, clean_env: dict[str, str], project: Path, tmp_path: Path
) -> Iterator[PrivateProject]:
    caches = {name: str(tmp_path / name) for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR")}
    env = sandbox.environ(clean_env) | caches
    env.pop("PIP_FIND_LINKS", None)
    yield PrivateProject(sandbox, project, env)
    sandbox.heal()


def only_token(work: PrivateProject) -> dict[str, str]:
    """Return an environment with a token and without AWS credentials."""
    token = get_token(work.sandbox, work.env, work.folder)
    keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    return {**keys, "AWS_EC2_METADATA_DISABLED": "true", "CODEARTIFACT_AUTH_TOKEN": token}


@pytest.mark.parametrize(
    "words", [["lock"], ["install", "team-app"], ["run", "pip", "install", "team-app"]]
)
def test_a_misspelt_repository_fails_and_the_public_index_is_not_asked(
    words: list[str], work: PrivateProject
) -> None:
    work.write('team-app = "*"', "tean")
    before = (work.folder / "Pipfile").read_bytes()
    seen = work.run(*words)
    seen.fails("error: There is no repository tean", "[repository-missing]")
    assert "team-app" not in seen.public
    assert not work.lock.exists()
    assert (work.folder / "Pipfile").read_bytes() == before


def test_a_misspelt_repository_gives_a_warning_without_permissions(work: PrivateProject) -> None:
    work.write('pub-lic = "*"', "tean")
    work.sandbox.deny("codeartifact:DescribeRepository")
    work.fails_to_lock("[repository-missing]")
    work.sandbox.deny("codeartifact:GetRepositoryEndpoint")
    seen = work.well("lock")
    assert seen.done.stderr.count("Could not confirm that repository tean exists") == 1
    work.sandbox.allow("codeartifact:DescribeRepository")
    work.sandbox.allow("codeartifact:GetRepositoryEndpoint")
    work.lock.unlink()
    assert "private-packages" in work.well("lock", **only_token(work)).done.stderr
    assert work.locked() == {"pub-lic": ("1.0", "pypi")}
    work.write('pub-lic = "*"\nteam-app = {version = "*", index = "tean"}', "tean")
    work.lock.unlink()
    work.fails_to_lock(**only_token(work))


def test_a_served_page_proves_that_a_repository_exists(work: PrivateProject) -> None:
    env = only_token(work)
    work.write('team-app = "*"', "team")
    assert "Could not confirm" not in work.well("lock", **env).done.stderr
    assert work.locked() == TEAM
    for repository, variables in (("team", env), ("empty", {})):
        work.write('pub-lic = "*"', repository)
        assert "Could not confirm" not in work.well("lock", **variables).done.stderr
        assert work.locked() == {"pub-lic": ("1.0", "pypi")}


def test_names_that_settings_or_a_pylock_mark_are_never_public(work: PrivateProject) -> None:
    work.write('team-app = "*"', "empty")
    said = "the settings or the lock mark it as private", "[package-missing]"
    for names in ("team-*", "Team.App other"):
        env = {"PIPENV_CA_PRIVATE_PACKAGES": names}
        assert "team-app" not in work.fails_to_lock(*said, **env).public
        for words in (["doctor", "team-app"], ["lint", "--online"]):
            seen = work.run(*words, **env)
            assert "[package-missing]" in seen.done.output, seen.done.output
            assert "team-app" not in seen.public
    (work.folder / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "pipenv"\n[[packages]]\nname = "team-app"\n'
        f'version = "1.0"\nindex = "{work.url("team")}"\n'
    )
    assert "team-app" not in work.fails_to_lock().public


def test_a_lock_with_other_source_names_keeps_names_private(work: PrivateProject) -> None:
    work.write('team-app = "*"', "team")
    work.well("lock")
    text = work.lock.read_text().replace('"index": "team"', '"index": "former"')
    former = text.replace('"name": "team"', '"name": "former"')
    for repositories, succeeds in ((["empty"], False), (["empty", "team"], True)):
        work.lock.write_text(former)
        work.write('team-app = "*"', *repositories)
        seen = work.run("lock")
        assert (seen.done.status == 0) is succeeds, seen.done.output
        assert not {"team-app", "team-lib"} & {*seen.public}
        assert succeeds or work.lock.read_text() == former
    assert work.locked() == TEAM


def lock_of(entries: Mapping[str, object]) -> str:
    """Return the text of a lock."""
    meta = {"hash": {"sha256": "0" * 64}, "pipfile-spec": 6, "requires": {}, "sources": []}
    return json.dumps({"_meta": meta, "default": entries, "develop": {}})


def lock_with(folder: Path, entries: Mapping[str, object]) -> dict[str, str]:
    """Return the variable of a stand-in for pipenv that writes this lock."""
    lines = f"open(os.environ['PIPENV_PIPFILE'] + '.lock', 'w').write({lock_of(entries)!r})"
    return {"PIPENV_CA_PIPENV": str(StandIn(folder, lines).path)}


def test_a_foreign_hash_on_the_direct_route_is_not_published(
    work: PrivateProject, tmp_path: Path
) -> None:
    entry = {"hashes": ["sha256:" + "a" * 64], "version": "==99.0.0", "index": "team"}
    work.write('team-app = "*"', "team", "empty")
    env = {"PIPENV_CA_ROUTE": "as-written"}
    foreign = env | lock_with(tmp_path / "bin", {"team-app": entry})
    said = "error: team-app 99.0.0 did not come from repository team", "[not-served]"
    work.fails_to_lock(*said, **foreign)
    work.well("lock", **env)


@pytest.mark.parametrize(
    ("name", "place"),
    [("team-app", "repository team"), ("pub-lic", "https://pypi.org/simple")],
)
def test_a_foreign_hash_on_the_proxy_route_is_not_published(
    name: str, place: str, work: PrivateProject, tmp_path: Path
) -> None:
    entry = {"hashes": ["sha256:" + "a" * 64], "version": "==99.0.0"}
    work.write(f'{name} = "*"', "team")
    said = f"error: {name} 99.0.0 did not come from {place}", "[not-served]", "a" * 64
    work.fails_to_lock(*said, **lock_with(tmp_path / "bin", {name: entry}))


def test_entries_that_were_not_resolved_are_not_verified(
    work: PrivateProject, tmp_path: Path
) -> None:
    old = {"team-lib": {"hashes": ["sha256:" + "b" * 64], "version": "==0.9"}}
    work.write('team-lib = "*"', "team")
    work.lock.write_text(lock_of(old))
    work.well("install", "six", **lock_with(tmp_path / "bin", old))
    assert work.locked()["team-lib"][0] == "0.9"


def test_local_find_links_serve_only_names_that_no_repository_has(
    work: PrivateProject, tmp_path: Path
) -> None:
    wheels = tmp_path / "my wheels"
    make_wheel(Path(work.env["HOME"]) / "wheels", "loc-al", "1.0")
    for name, version in (("pub-lic", "5.0"), ("team-app", STRANGE)):
        make_wheel(wheels, name, version)
    env = {"PIP_FIND_LINKS": f"{wheels.as_uri()} ~/wheels"}
    work.write('team-app = "*"\nloc-al = "*"\npub-lic = "*"', "empty", "team")
    work.well("install", **env)
    assert work.locked() == TEAM | {"loc-al": ("1.0", "pypi"), "pub-lic": ("5.0", "pypi")}
    seen = work.well("run", "pip", "install", "--force-reinstall", "team-app", "loc-al", **env)
    assert "Successfully installed loc-al-1.0" in seen.done.stdout
    assert "team-app-1.0" in seen.done.stdout
    work.run("lock", **env, PIPENV_CA_PRIVATE_PACKAGES="loc-al").fails()


@pytest.mark.parametrize("way", ["variable", "login", "option"])
def test_a_codeartifact_mirror_gets_its_token(way: str, work: PrivateProject) -> None:
    url = work.url("all")
    if way == "login":
        token = get_token(work.sandbox, work.env, work.folder)
        url = url.replace("://", f"://aws:{token}@")
    env = {} if way == "option" else {"PIPENV_PYPI_MIRROR": url}
    words = [f"--pypi-mirror={url}"] if way == "option" else []
    work.write('team-app = "*"', "team")
    assert work.well("lock", *words, **env).public == []
    assert work.locked() == TEAM
    if way == "option":
        work.well("sync", *words)
        assert list(work.folder.glob(".venv/lib/*/site-packages/team_app-1.0.dist-info"))


@pytest.mark.parametrize("repositories", [[], ["all"]])
def test_a_mirror_of_a_public_project_or_of_its_own_repository_gets_its_token(
    repositories: list[str], work: PrivateProject
) -> None:
    work.write('team-lib = "*"\npub-lic = "*"', *repositories)
    assert work.well("install", PIPENV_PYPI_MIRROR=work.url("all")).public == []
    found = work.locked()
    assert sorted((name, version) for name, (version, _) in found.items()) == BOTH
    assert not repositories or {index for _, index in found.values()} == {"all"}


def test_private_packages_are_not_taken_from_a_mirror(work: PrivateProject) -> None:
    work.write('team-app = "*"', "empty")
    mirror = work.url("all")
    work.fails_to_lock(PIPENV_PYPI_MIRROR=mirror, PIPENV_CA_PRIVATE_PACKAGES="team-app")


def test_install_with_index_asks_only_that_repository(work: PrivateProject) -> None:
    work.write("", "empty")
    before = (work.folder / "Pipfile").read_bytes()
    seen = work.run("install", "--index=empty", "team-app")
    seen.fails("error: ", "team-app", "empty")
    assert not work.lock.exists()
    assert (work.folder / "Pipfile").read_bytes() == before
