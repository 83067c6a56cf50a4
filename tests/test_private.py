"""A private package comes from its repository or from nowhere."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn, get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

pytestmark = pytest.mark.wide

PUBLIC_HOST = "pypi.org"
STRANGE = "99.0.0"


class PrivateProject(NamedTuple):
    """A project with repositories, and a public index that has versions of private names.

    Repository ``team`` has team-app, which needs team-lib and pub-lic. Repository ``empty`` is
    empty. Only ``all`` reaches the public index; it has team-lib.
    """

    sandbox: Sandbox
    folder: Path
    env: dict[str, str]
    private: Path

    def wheel(self, name: str) -> Path:
        return next(self.private.glob(f"{name.replace('-', '_')}-*"))

    def endpoint(self, repository: str = "team") -> RepositoryEndpoint:
        return self.sandbox.endpoint._replace(repository=repository)

    def write(self, packages: str, *repositories: str, public: bool = True) -> None:
        tables = [source(self.endpoint(name), name=name) for name in repositories]
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the private packages."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def sandbox(folder: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    public, private = folder / "public", folder
    make_wheel(public, "pub-lic", "1.0")
    for name in ("team-app", "team-lib"):
        make_wheel(public, name, STRANGE)
    app = make_wheel(private, "team-app", "1.0", ["team-lib", "pub-lic"])
    lib = make_wheel(private, "team-lib", "1.0")
    with Sandbox(
        repository="team", upstream=False, public=public, serve_public=True, base=clean_base
    ) as running:
        running.publish(app)
        running.publish(lib)
        running.add_repository("empty")
        everything = running.add_repository("all", upstream=True)
        running.publish(lib, everything)
        yield running


@pytest.fixture
def work(
    sandbox: Sandbox, folder: Path, clean_env: dict[str, str], project: Path, tmp_path: Path
) -> Iterator[PrivateProject]:
    caches = {name: str(tmp_path / name) for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR")}
    env = sandbox.environ(clean_env) | caches
    clean = {name: value for name, value in env.items() if name != "PIP_FIND_LINKS"}
    yield PrivateProject(sandbox, project, clean, folder)
    sandbox.heal()


def only_token(work: PrivateProject) -> dict[str, str]:
    """Return an environment with a token and without AWS credentials."""
    token = get_token(work.sandbox, work.env, work.folder)
    keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    return {**keys, "AWS_EC2_METADATA_DISABLED": "true", "CODEARTIFACT_AUTH_TOKEN": token}


# --- a 404 counts only from a repository that exists ---------------------------------------


@pytest.mark.parametrize(
    "words", [["lock"], ["install"], ["install", "team-app"], ["run", "pip", "install", "team-app"]]
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


@pytest.mark.parametrize("says", ["GetRepositoryEndpoint", "nothing"])
def test_a_misspelt_repository_is_found_or_warned_of_without_describe_permission(
    says: str, work: PrivateProject
) -> None:
    denied = ["codeartifact:DescribeRepository"]
    if says == "nothing":
        denied.append("codeartifact:GetRepositoryEndpoint")
    work.write('pub-lic = "*"', "tean")
    for action in denied:
        work.sandbox.deny(action)
    seen = work.run("lock")
    for action in denied:
        work.sandbox.allow(action)
    if says == "nothing":
        assert seen.done.status == 0, seen.done.output
        assert seen.done.stderr.count("Could not confirm that repository tean exists") == 1
        assert work.locked() == {"pub-lic": ("1.0", "pypi")}
    else:
        seen.fails("[repository-missing]")


def test_with_only_a_token_private_names_fail_and_others_get_a_warning(
    work: PrivateProject,
) -> None:
    env = only_token(work)
    work.write('pub-lic = "*"', "tean")
    seen = work.well("lock", **env)
    assert seen.done.stderr.count("Could not confirm that repository tean exists") == 1
    assert "private-packages" in seen.done.stderr
    work.write('pub-lic = "*"\nteam-app = {version = "*", index = "tean"}', "tean")
    work.lock.unlink()
    work.run("lock", **env).fails()
    assert not work.lock.exists()


def test_a_served_page_proves_that_a_repository_exists(work: PrivateProject) -> None:
    env = only_token(work)
    work.write('team-app = "*"', "team")
    assert "Could not confirm" not in work.well("lock", **env).done.stderr
    assert work.locked() == {
        "team-app": ("1.0", "team"),
        "team-lib": ("1.0", "team"),
        "pub-lic": ("1.0", "pypi"),
    }
    work.lock.unlink()
    work.write('pub-lic = "*"', "team")
    assert "Could not confirm" not in work.well("lock", **env).done.stderr


def test_an_empty_repository_exists_without_a_warning(work: PrivateProject) -> None:
    work.write('pub-lic = "*"', "empty")
    assert "Could not confirm" not in work.well("lock").done.stderr
    assert work.locked() == {"pub-lic": ("1.0", "pypi")}


# --- what is private -----------------------------------------------------------------------


@pytest.mark.parametrize("names", ["team-*", "Team.App other"])
def test_private_packages_are_never_public(names: str, work: PrivateProject) -> None:
    work.write('team-app = "*"', "empty")
    seen = work.run("lock", PIPENV_CA_PRIVATE_PACKAGES=names)
    seen.fails("the settings or the lock mark it as private", "[package-missing]")
    assert "team-app" not in seen.public
    assert not work.lock.exists()


@pytest.mark.parametrize("words", [["doctor"], ["doctor", "team-app"], ["lint", "--online"]])
def test_checks_do_not_send_private_names_to_the_public_index(
    words: list[str], work: PrivateProject
) -> None:
    work.write('team-app = "*"', "empty")
    seen = work.run(*words, PIPENV_CA_PRIVATE_PACKAGES="team-*")
    assert "[package-missing]" in seen.done.output, seen.done.output
    assert "team-app" not in seen.public


@pytest.mark.parametrize("gone", [False, True])
def test_a_lock_with_other_source_names_keeps_names_private(
    gone: bool, work: PrivateProject
) -> None:
    work.write('team-app = "*"', "team")
    work.well("lock")
    text = work.lock.read_text().replace('"index": "team"', '"index": "former"')
    work.lock.write_text(text.replace('"name": "team"', '"name": "former"'))
    work.write('team-app = "*"', *(["empty"] if gone else ["empty", "team"]))
    seen = work.run("lock")
    assert not {"team-app", "team-lib"} & {*seen.public}
    if gone:
        seen.fails()
        assert work.lock.read_text() != ""
    else:
        assert work.locked()["team-app"] == ("1.0", "team")
        assert work.locked()["team-lib"] == ("1.0", "team")


def test_a_pylock_keeps_names_private(work: PrivateProject) -> None:
    work.write('team-app = "*"', "empty")
    work.lock.unlink(missing_ok=True)
    (work.folder / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "pipenv"\n[[packages]]\nname = "team-app"\n'
        f'version = "1.0"\nindex = "{work.endpoint().simple_url}"\n'
    )
    seen = work.run("lock")
    seen.fails()
    assert "team-app" not in seen.public


# --- hashes that were not served ----------------------------------------------------------


def lock_with(folder: Path, entries: Mapping[str, object]) -> StandIn:
    """Return a stand-in for pipenv that writes this lock."""
    document = {
        "_meta": {"hash": {"sha256": "0" * 64}, "pipfile-spec": 6, "requires": {}, "sources": []},
        "default": entries,
        "develop": {},
    }
    lines = f"open(os.environ['PIPENV_PIPFILE'] + '.lock', 'w').write({json.dumps(document)!r})"
    return StandIn(folder, lines)


@pytest.mark.parametrize("repositories", [["team"], ["team", "empty"]])
def test_a_foreign_hash_on_the_direct_route_is_not_published(
    repositories: list[str], work: PrivateProject, tmp_path: Path
) -> None:
    entry = {"hashes": ["sha256:" + "a" * 64], "version": "==99.0.0", "index": "team"}
    good = "sha256:" + hashlib.sha256(work.wheel("team-app").read_bytes()).hexdigest()
    work.write('team-app = "*"', *repositories)
    pipenv = lock_with(tmp_path / "bin", {"team-app": entry})
    words = ("--ca-route", "as-written", "lock")
    seen = work.run(*words, PIPENV_CA_PIPENV=str(pipenv.path))
    seen.fails("error: team-app 99.0.0 did not come from repository team", "[not-served]")
    assert not work.lock.exists()
    public = {"hashes": ["sha256:" + "b" * 64], "version": "==3", "index": "pypi"}
    right = {"team-app": entry | {"hashes": [good]}, "pub-lic": public}
    pipenv = lock_with(tmp_path / "other", right)
    work.well(*words, PIPENV_CA_PIPENV=str(pipenv.path))


@pytest.mark.parametrize(
    ("name", "private"), [("team-app", True), ("pub-lic", False), ("team-lib", True)]
)
def test_a_foreign_hash_on_the_proxy_route_is_not_published(
    name: str, private: bool, work: PrivateProject, tmp_path: Path
) -> None:
    entry = {"hashes": ["sha256:" + "a" * 64], "version": "==99.0.0"}
    pipenv = lock_with(tmp_path / "bin", {name: entry})
    work.write(f'{name} = "*"', "team")
    seen = work.run("lock", PIPENV_CA_PIPENV=str(pipenv.path))
    place = "repository team" if private else "https://pypi.org/simple"
    seen.fails(f"error: {name} 99.0.0 did not come from {place}", "[not-served]", "a" * 64)
    assert not work.lock.exists()


def test_entries_that_were_not_resolved_are_not_verified(
    work: PrivateProject, tmp_path: Path
) -> None:
    old = {"hashes": ["sha256:" + "b" * 64], "version": "==0.9"}
    document = {
        "_meta": {"hash": {"sha256": "0" * 64}, "pipfile-spec": 6, "requires": {}, "sources": []},
        "default": {"team-lib": old},
        "develop": {},
    }
    work.write('team-lib = "*"', "team")
    work.lock.write_text(json.dumps(document))
    pipenv = lock_with(tmp_path / "bin", {"team-lib": old})
    work.well("install", "six", PIPENV_CA_PIPENV=str(pipenv.path))
    assert work.locked()["team-lib"][0] == "0.9"


# --- the user's files ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "repositories"), [("variable", ["team"]), ("file", ["empty", "team"])]
)
def test_local_find_links_serve_only_names_that_no_repository_has(
    way: str, repositories: list[str], work: PrivateProject, tmp_path: Path
) -> None:
    wheels = tmp_path / "my wheels"
    for name, version in (("loc-al", "1.0"), ("pub-lic", "5.0"), ("team-app", STRANGE)):
        make_wheel(wheels, name, version)
    link = wheels.as_uri()
    env = {"PIP_FIND_LINKS": link}
    if way == "file":
        config = tmp_path / "pip.conf"
        config.write_text(f"[install]\nfind_links = {link}\n")
        env = {"PIP_CONFIG_FILE": str(config)}
    work.write('team-app = "*"\nloc-al = "*"\npub-lic = "*"', *repositories)
    work.well("install", **env)
    assert work.locked() == {
        "loc-al": ("1.0", "pypi"),
        "pub-lic": ("5.0", "pypi"),
        "team-app": ("1.0", "team"),
        "team-lib": ("1.0", "team"),
    }
    found = {path.name for path in wheels.iterdir()}
    assert len(found) == 3
    done = work.well("run", "pip", "install", "--force-reinstall", "team-app", "loc-al", **env)
    assert "team-app-1.0" in done.done.stdout
    assert "loc-al-1.0" in done.done.stdout
    names = {"PIPENV_CA_PRIVATE_PACKAGES": "loc-al"}
    work.run("lock", **env, **names).fails()


# --- a mirror that is a repository ---------------------------------------------------------


@pytest.mark.parametrize("way", ["variable", "login", "option", "attached"])
def test_a_codeartifact_mirror_gets_its_token(way: str, work: PrivateProject) -> None:
    url = work.endpoint("all").simple_url
    if way == "login":
        token = get_token(work.sandbox, work.env, work.folder)
        url = url.replace("://", f"://aws:{token}@")
    env = {"PIPENV_PYPI_MIRROR": url} if way in {"variable", "login"} else {}
    words = {"option": ["--pypi-mirror", url], "attached": [f"--pypi-mirror={url}"]}.get(way, [])
    work.write('team-app = "*"', "team")
    seen = work.well("lock", *words, **env)
    assert seen.public == []
    assert work.locked() == {
        "team-app": ("1.0", "team"),
        "team-lib": ("1.0", "team"),
        "pub-lic": ("1.0", "pypi"),
    }
    if way != "attached":
        work.well("sync", *words, **env)
        assert list(work.folder.glob(".venv/lib/*/site-packages/team_app-1.0.dist-info"))


def test_a_codeartifact_mirror_of_a_public_project_gets_its_token(work: PrivateProject) -> None:
    env = {"PIPENV_PYPI_MIRROR": work.endpoint("all").simple_url}
    work.write('team-lib = "*"\npub-lic = "*"')
    seen = work.well("install", **env)
    assert seen.public == []
    assert work.locked()["team-lib"][0] == "1.0"


def test_the_lock_names_the_repository_that_is_also_the_mirror(work: PrivateProject) -> None:
    env = {"PIPENV_PYPI_MIRROR": work.endpoint("all").simple_url}
    work.write('team-lib = "*"\npub-lic = "*"', "all")
    seen = work.well("lock", **env)
    assert seen.public == []
    assert work.locked() == {"team-lib": ("1.0", "all"), "pub-lic": ("1.0", "all")}


def test_private_packages_are_not_taken_from_a_mirror(work: PrivateProject) -> None:
    env = {
        "PIPENV_PYPI_MIRROR": work.endpoint("all").simple_url,
        "PIPENV_CA_PRIVATE_PACKAGES": "team-app",
    }
    work.write('team-app = "*"', "empty")
    work.run("lock", **env).fails()
    assert not work.lock.exists()


# --- the source that --index names ---------------------------------------------------------


@pytest.mark.parametrize("option", [["--index", "empty"], ["--index=empty"], ["-iempty"]])
def test_install_with_index_asks_only_that_repository(
    option: list[str], work: PrivateProject
) -> None:
    work.write("", "empty")
    before = (work.folder / "Pipfile").read_bytes()
    seen = work.run("install", *option, "team-app")
    seen.fails("error: ", "team-app", "empty")
    assert not work.lock.exists()
    assert (work.folder / "Pipfile").read_bytes() == before


@pytest.mark.parametrize("wanted", ["pypi", "all", "team"])
def test_install_with_index_writes_it_to_pipfile_and_lock(
    wanted: str, work: PrivateProject
) -> None:
    work.write("", "team", "all")
    work.well("install", "--index", wanted, "team-lib")
    assert (
        f'team-lib = {{version = "*", index = "{wanted}"}}' in (work.folder / "Pipfile").read_text()
    )
    version = STRANGE if wanted == "pypi" else "1.0"
    assert work.locked()["team-lib"] == (version, wanted)
