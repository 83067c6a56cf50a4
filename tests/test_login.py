"""`login` and `logout`: real pip, twine and curl use what was written, and all of it goes again."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.files import files_with
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.projects import source, write_pipfile
from support.runs import get_token

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PIP_CONF = "# mine\n[global]\ntimeout = 60\n# of %(this)s\ntrusted-host = a%b\n"


class User(NamedTuple):
    """Somebody at work in a folder.

    Attributes:
        home: the home folder.
        folder: the working directory.
        env: the environment.
        sandbox: the CodeArtifact that it leads to.
    """

    home: Path
    folder: Path
    env: dict[str, str]
    sandbox: Sandbox

    def does(self, *words: str | Path, status: int = 0) -> Result:
        done = run(*words, env=self.env, cwd=self.folder)
        assert done.status == status, done.output
        return done

    def ca(self, *words: str | Path, status: int = 0) -> Result:
        return self.does(PIPENV_CA, *words, status=status)

    @property
    def url(self) -> str:
        return self.sandbox.endpoint.url

    @property
    def pip_conf(self) -> Path:
        return self.home / ".config" / "pip" / "pip.conf"

    def token(self) -> str:
        return get_token(self.sandbox, self.env, self.folder)

    def has_no_token(self) -> None:
        """Assert that no file of the home holds the token, and none is left half-written."""
        assert files_with(self.token(), [self.home]) == []
        assert list(self.home.rglob("*.pipenv-ca")) == []


@pytest.fixture
def user(home: Path, project: Path, sandbox_env: dict[str, str], sandbox: Sandbox) -> User:
    """Return a user with the programs of this environment on the PATH."""
    return User(home, project, sandbox_env | {"PATH": f"{SCRIPTS}:{sandbox_env['PATH']}"}, sandbox)


@pytest.fixture(scope="session")
def shared_venv(shared: Path, clean_base: dict[str, str]) -> Path:
    """Return a virtual environment with pip in it, and nothing else."""
    place = shared / "an env"
    done = run(sys.executable, "-m", "venv", place, env=clean_base, cwd=shared)
    assert done.status == 0, done.output
    return place


@pytest.fixture
def venv(shared_venv: Path) -> Iterator[Path]:
    """Return a virtual environment without a configuration of its pip."""
    yield shared_venv
    (shared_venv / "pip.conf").unlink(missing_ok=True)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a wheel that was never published; each test has one of its own."""
    return make_wheel(tmp_path / "built", "acme-upload", f"1.{time.time_ns()}")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.wide
def test_pip_installs_until_logout(user: User, venv: Path) -> None:
    """After login a plain pip installs a private package; after logout it is as before."""
    user.pip_conf.parent.mkdir(parents=True)
    user.pip_conf.write_text(PIP_CONF)
    user.pip_conf.chmod(0o644)
    said = user.ca("login", "pip", user.url)
    assert "The token expires at " in said.stdout
    assert "(in 12 hours)" in said.stdout
    assert user.token() not in said.output
    assert mode(user.pip_conf) == 0o600
    assert user.pip_conf.read_text().startswith(PIP_CONF)
    pip = str(venv / "bin" / "pip")
    user.does(pip, "install", "--no-deps", "--target", "t", "orb-common")
    user.ca("logout", "pip")
    assert user.pip_conf.read_text() == PIP_CONF
    assert mode(user.pip_conf) == 0o644
    user.has_no_token()


@pytest.mark.wide
def test_pip_of_an_environment(user: User, venv: Path) -> None:
    """In an active environment the login is that environment's, and nobody else's."""
    active = user._replace(env=user.env | {"VIRTUAL_ENV": str(venv)})
    active.ca("login", "pip", user.url)
    assert not user.pip_conf.exists()
    assert mode(venv / "pip.conf") == 0o600
    active.does(venv / "bin" / "pip", "install", "--no-deps", "--target", "t", "orb-common")
    active.ca("logout")
    assert not (venv / "pip.conf").exists()
    user.ca("login", "pip", "--environment", venv, user.url)
    assert (venv / "pip.conf").exists()
    active.ca("login", "pip", "--user", user.url)
    assert user.pip_conf.exists()
    user.ca("logout")
    assert not user.pip_conf.exists()
    assert not (venv / "pip.conf").exists()


@pytest.mark.wide
def test_pip_by_keyring(user: User, venv: Path) -> None:
    """Where pip can ask the keyring it is offered, and --keyring writes no token at all."""
    offered = user.ca("login", "pip", "--environment", venv, user.url).stdout
    assert f"pipenv-ca login pip --environment '{venv}' {user.url} --keyring" in offered
    user.ca("login", "pip", "--keyring", "--environment", venv, user.url)
    assert "keyring-provider = subprocess" in (venv / "pip.conf").read_text()
    user.has_no_token()
    user.does(venv / "bin" / "pip", "install", "--no-deps", "--target", "t", "orb-common")
    user.ca("logout")
    assert not (venv / "pip.conf").exists()


@pytest.mark.wide
def test_no_keyring_to_ask(user: User, venv: Path) -> None:
    """Without a keyring that pip could ask, --keyring says what to install, and writes nothing."""
    bare = user._replace(env=user.env | {"PATH": str(venv / "bin")})
    said = bare.ca("login", "pip", "--keyring", "--environment", venv, user.url, status=2)
    assert "A keyring with codeartifact-pipenv was not found" in said.stderr
    assert "uv tool install keyring --with codeartifact-pipenv" in said.stderr
    assert not (venv / "pip.conf").exists()
    assert (
        "can ask the keyring" not in bare.ca("login", "pip", "--environment", venv, user.url).stdout
    )


@pytest.mark.wide
@pytest.mark.shows_token("output")  # pip itself is asked what it has
def test_several_repositories_of_pip(user: User, venv: Path) -> None:
    """The first repository is pip's index, the others are extra ones beside the user's own."""
    lonely = user.url.replace("/team/", "/lonely/")
    user.pip_conf.parent.mkdir(parents=True)
    user.pip_conf.write_text("[global]\nextra-index-url = https://mine.example/simple\n")
    user.ca("login", "pip", lonely, user.url)
    user.ca("login", "pip", lonely, user.url)
    urls = user.does(venv / "bin" / "pip", "config", "get", "global.extra-index-url").stdout.split()
    assert [url.rpartition("@")[2].removeprefix("https://") for url in urls] == [
        "mine.example/simple",
        f"{user.url.removeprefix('https://')}simple/",
    ]
    user.ca("logout")
    assert user.pip_conf.read_text() == (
        "[global]\nextra-index-url = https://mine.example/simple\n"
    )


@pytest.mark.wide
def test_twine_uploads(user: User, wheel: Path) -> None:
    """After login twine uploads by the repository's name, with no keyring to ask."""
    user.ca("login", "twine", user.url)
    assert mode(user.home / ".pypirc") == 0o600
    nothing = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    alone = user._replace(env=user.env | nothing)
    alone.does("twine", "upload", "--non-interactive", "-r", "codeartifact", wheel)
    assert user.sandbox.is_published("acme-upload")
    user.ca("logout", "twine")
    assert not (user.home / ".pypirc").exists()
    user.has_no_token()


@pytest.mark.wide
def test_twine_by_keyring(user: User, wheel: Path) -> None:
    """With --keyring twine finds its repository by name, and its token by the keyring."""
    offered = user.ca("login", "twine", user.url).stdout
    assert "twine can ask keyring instead" in offered
    user.ca("login", "twine", "--keyring", user.url)
    user.has_no_token()
    user.does("twine", "upload", "--non-interactive", "-r", "codeartifact", wheel)


@pytest.mark.wide
def test_twine_side_by_side(user: User) -> None:
    """Repositories stand side by side under names of their own; each login keeps the others."""
    pypirc = user.home / ".pypirc"
    own = "[distutils]\nindex-servers =\n    mine\n\n[mine]\n# 100% mine\nusername = a%b\npassword: c ; d\n"
    pypirc.write_text(own)
    user.ca("login", "twine", user.url)
    second = user.ca("login", "twine", user.url.replace("/team/", "/lonely/"))
    assert "twine upload -r codeartifact-lonely dist/*" in second.stdout
    user.ca("login", "twine", "--name", "third", user.url)
    found = pypirc.read_text()
    for name in ("mine", "codeartifact", "codeartifact-lonely", "third"):
        assert f"[{name}]" in found
        assert f"\n    {name}\n" in found
    assert own.partition("\n\n")[2] in found
    user.ca("logout")
    assert pypirc.read_text() == own


def test_netrc(user: User) -> None:
    """A private page is read by curl with the netrc file; everything else in the file stays."""
    netrc = user.home / ".netrc"
    own = "# mine\nmachine a.example login b password c%d\ndefault login e password f"
    netrc.write_text(own)
    netrc.chmod(0o640)
    user.ca("login", "netrc", user.url)
    assert mode(netrc) == 0o600
    assert own in netrc.read_text()
    page = f"{user.url}simple/orb-common/"
    assert "orb_common" in user.does("curl", "-sS", "--fail", "--netrc", page).stdout
    user.ca("logout", "netrc")
    assert netrc.read_text() == own
    assert mode(netrc) == 0o640


def test_the_projects_own(user: User) -> None:
    """Without a URL it is about the repositories of the Pipfile, under their names."""
    lonely = user.sandbox.endpoint._replace(repository="lonely")
    write_pipfile(
        user.folder,
        source(user.sandbox.endpoint, name="ours"),
        source(lonely, name="theirs"),
        "[packages]\n",
    )
    said = user.ca("login", "twine").stdout
    assert "twine upload -r ours dist/*" in said
    assert "twine upload -r theirs dist/*" in said
    said = user.ca("login", "pip", "--dry-run").stdout
    assert f"index-url = https://aws:****@{user.url.removeprefix('https://')}simple/" in said
    assert "extra-index-url =\n      https://aws:****@" in said


@pytest.mark.wide
@pytest.mark.parametrize("name", ["a]\n[global]\nx = 1", "pypi", "distutils", "$(touch x)"])
def test_names_of_a_cloned_project(user: User, name: str) -> None:
    """What a project writes as a source's name takes no other section, and adds no line."""
    (user.home / ".pypirc").write_text("[pypi]\nusername = mine\n")
    write_pipfile(user.folder, source(user.sandbox.endpoint, name=repr(name)[1:-1]), "[packages]\n")
    user.ca("login", "twine")
    text = (user.home / ".pypirc").read_text()
    found = [line for line in text.splitlines() if line.startswith("[")]
    assert found == ["[pypi]", "[distutils]", "[codeartifact]"]
    assert "[pypi]\nusername = mine\n" in text
    said = user.ca("login", "twine", "--name", name, user.url, status=2)
    assert "cannot be the name of a repository" in said.stderr


@pytest.mark.wide
def test_dry_run(user: User) -> None:
    """--dry-run says what would be written, writes nothing and shows no secret."""
    pypirc = user.home / ".pypirc"
    pypirc.write_text("[mine]\npassword = hidden\n")
    for tool in ("pip", "twine", "netrc"):
        said = user.ca("login", tool, user.url, "--dry-run")
        assert " would get:\n" in said.stdout
        assert "hidden" not in said.output
        assert user.token() not in said.output
    assert pypirc.read_text() == "[mine]\npassword = hidden\n"
    assert not user.pip_conf.exists()
    user.ca("login", "twine", user.url)
    before = pypirc.read_text()
    assert "Would restore " in user.ca("logout", "--dry-run").stdout
    assert pypirc.read_text() == before


@pytest.mark.wide
def test_edited_since(user: User) -> None:
    """What the user adds after a login stays when the login goes, and also through another login."""
    user.ca("login", "pip", user.url)
    with user.pip_conf.open("a") as file:
        file.write("retries = 7\n")
    user.ca("login", "pip", user.url)
    assert "retries = 7" in user.pip_conf.read_text()
    said = user.ca("logout")
    assert user.pip_conf.read_text() == "[global]\nretries = 7\n"
    user.has_no_token()
    user.ca("login", "pip", user.url)
    user.pip_conf.write_text(user.pip_conf.read_text().replace("retries = 7", "retries = 8"))
    said = user.ca("logout")
    assert "your later changes stay" in said.stdout
    assert user.pip_conf.read_text() == "[global]\nretries = 8\n"
    user.ca("login", "pip", user.url)
    user.pip_conf.unlink()
    user.ca("logout")
    assert not user.pip_conf.exists()
    assert "No login was found." in user.ca("logout").stdout


def test_a_link_stays_a_link(user: User) -> None:
    """A configuration file that is a link is written where it leads, and given back there."""
    real = user.home / "dotfiles" / "netrc"
    real.parent.mkdir()
    real.write_text("# mine\n")
    (user.home / ".netrc").symlink_to(real)
    user.ca("login", "netrc", user.url)
    assert (user.home / ".netrc").is_symlink()
    assert user.token() in real.read_text()
    user.ca("logout")
    assert (user.home / ".netrc").is_symlink()
    assert real.read_text() == "# mine\n"


REFUSED = {
    "ini-broken": (".pypirc", b"[a\nb", "twine", "cannot be read: line 1"),
    "ini-twice": (
        ".pypirc",
        b"[a]\nx=1\n[a]\n",
        "twine",
        "line 3 begins section [a] a second time",
    ),
    "ini-binary": (".pypirc", b"\xff\xfe[\x00", "twine", "is not UTF-8"),
    "netrc-broken": (".netrc", b"machine a login b\nwhat is this secret", "netrc", "line 2"),
    "pip-broken": (".config/pip/pip.conf", b"index-url = https://a:secret@b/", "pip", "line 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unreadable_files(user: User, case: str) -> None:
    """A file that the tool itself could not read is refused in one sentence, and not touched."""
    name, data, tool, why = REFUSED[case]
    path = user.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    said = user.ca("login", tool, user.url, status=2)
    assert said.stderr.count("error: ") == said.stderr.count("hint: ") == 1
    assert str(path) in said.stderr
    assert why in said.stderr
    assert "secret" not in said.output
    assert path.read_bytes() == data
    assert "No login" in user.ca("logout").stdout


def test_no_room_to_write(user: User) -> None:
    """A folder in the place of the file is a clear error; no record of a login stays."""
    (user.home / ".netrc").mkdir()
    said = user.ca("login", "netrc", user.url, status=2)
    assert "error: " in said.stderr
    assert "Traceback" not in said.output
    assert "No login" in user.ca("logout").stdout


WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "not-ours": (("pip", "https://pypi.example/simple/"), "is not a CodeArtifact endpoint"),
    "no-project": (("pip",), "A Pipfile was not found"),
    "netrc-keyring": (("netrc", "--keyring", "URL"), "netrc does not ask a keyring"),
    "pip-name": (("pip", "--name", "x", "URL"), "--name is only for twine"),
    "twine-user": (("twine", "--user", "URL"), "--user and --environment are for pip"),
    "no-environment": (("pip", "--environment", "nowhere", "URL"), "is not a virtual environment"),
    "host-only": (("pip", "HOST"), "names no repository"),
    "half-named": (("pip", "--domain-owner", "123456789012"), "not clear which domain"),
    "domain-only": (
        ("pip", "--domain", "one", "--domain-owner", "123456789012", "--region", "eu-west-1"),
        "names no repository",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_wrong_words(user: User, case: str) -> None:
    """Words that do not fit are refused with status 2 and one sentence, and nothing is written."""
    words, why = WORDS[case]
    meant = {"URL": user.url, "HOST": user.sandbox.endpoint.host}
    said = user.ca("login", *(meant.get(word, word) for word in words), status=2)
    assert why in said.stderr
    assert [path.name for path in user.home.iterdir()] in ([], [".config"], [".local"])


@pytest.mark.parametrize("is_whole", [True, False])
def test_named_by_options(user: User, is_whole: bool) -> None:
    """The AWS CLI's options name the repository too; owner and region default to the caller's."""
    domain = user.sandbox.endpoint.domain
    user.env["AWS_REGION"] = domain.region
    words = ["--domain", domain.name]
    if is_whole:
        words += ["--domain-owner", domain.owner, "--region", domain.region]
    said = user.ca("login", "pip", *words, "--repository", "team", "--dry-run").stdout
    assert f"{user.url.removeprefix('https://')}simple/" in said
    token = json.loads(user.ca("token", *words, "--json").stdout)
    assert (token["domain_owner"], token["region"]) == (domain.owner, domain.region)


def test_no_caller_to_ask(user: User) -> None:
    """Without credentials or a region, the one thing that is missing is said."""
    assert "The AWS region is not set" in user.ca("token", "--domain", "x1", status=2).stderr
    user.env["AWS_REGION"] = "eu-west-1"
    nobody = user._replace(env={k: v for k, v in user.env.items() if "ACCESS_KEY" not in k})
    said = nobody.ca("token", "--domain", "x1", status=1).stderr
    assert "[no-credentials]" in said
    assert "required: tool\n" in user.ca("login", status=2).stderr.replace(".", "")


def test_overridden(user: User) -> None:
    """A variable that wins over the file is said."""
    over = user._replace(env=user.env | {"PIP_INDEX_URL": "https://other.example/simple"})
    assert "PIP_INDEX_URL is set" in over.ca("login", "pip", user.url).stderr


def test_no_token_no_login(user: User) -> None:
    """Where no token can be had, the file stays as it is, and the cause is said."""
    user.sandbox.deny("codeartifact:GetAuthorizationToken")
    try:
        said = user.ca("login", "netrc", user.url, status=1)
    finally:
        user.sandbox.allow("codeartifact:GetAuthorizationToken")
    assert "error: " in said.stderr
    assert not (user.home / ".netrc").exists()


@pytest.mark.wide
def test_many_at_once(user: User) -> None:
    """Logins at one time wait for each other, and one logout gives everything back."""
    netrc = user.home / ".netrc"
    netrc.write_text("# mine\n")
    words = [PIPENV_CA, "login", "netrc", user.url]
    started = [
        subprocess.Popen(words, env=user.env, cwd=user.folder, stdout=subprocess.DEVNULL)
        for _ in range(6)
    ]
    assert [process.wait(60) for process in started] == [0] * 6
    assert netrc.read_text().count("machine ") == 1
    user.ca("logout")
    assert netrc.read_text() == "# mine\n"


def test_killed(user: User) -> None:
    """What a login killed in the middle leaves goes with the logout: a record, half a file."""
    netrc = user.home / ".netrc"
    netrc.write_text("# mine\n")
    user.ca("login", "netrc", user.url)
    netrc.rename(user.home / "..netrc.1f.pipenv-ca")
    netrc.write_text("# mine\n")
    user.ca("logout")
    assert netrc.read_text() == "# mine\n"
    user.has_no_token()
    assert "No login" in user.ca("logout").stdout


def cached(user: User) -> int:
    return len(list(Path(user.env["PIPENV_CA_CACHE_DIR"]).glob("*.json")))


def test_logout_forgets_cached_tokens(user: User) -> None:
    """Logout removes the cached token of what it logs out of, says which, and names the rest."""
    other = user.sandbox.add_repository("apart", domain="logout-other")
    user.ca("login", "netrc", user.url)
    user.ca("token", other.url)
    assert cached(user) == 2
    assert "Would remove the cached token" in user.ca("logout", "--dry-run").stdout
    assert cached(user) == 2
    said = user.ca("logout").stdout
    assert f"Removed the cached token of {user.sandbox.endpoint.domain}." in said
    assert f"Cached tokens remain for {other.domain}; `pipenv-ca logout --all`" in said
    assert cached(user) == 1
    said = user.ca("logout").stdout
    assert "No login was found." in said
    assert f"Cached tokens remain for {other.domain};" in said
    assert f"Removed the cached token of {other.domain}." in user.ca("logout", "--all").stdout
    assert cached(user) == 0
    assert user.ca("logout").stdout == "No login was found.\n"


def test_logout_of_the_project(user: User) -> None:
    """Without a tool, logout removes the cached tokens of the project's domains too."""
    write_pipfile(user.folder, source(user.sandbox.endpoint), "[packages]\n")
    user.ca("token")
    said = user.ca("logout").stdout
    assert said == f"Removed the cached token of {user.sandbox.endpoint.domain}.\n"
    assert cached(user) == 0


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_login_of_version_one(user: User, is_edited: bool) -> None:
    """Logout after an upgrade takes out what 1.0 logged in, and removes its record."""
    before = "# mine\n[global]\nindex-url = https://mine.example/simple\n"
    written = before.replace("https://", f"https://aws:{user.token()}@").replace(
        "mine.example/", f"{user.url.removeprefix('https://')}"
    )
    user.pip_conf.parent.mkdir(parents=True)
    user.pip_conf.write_text(written + "timeout = 9\n" * is_edited)
    record = {
        "version": 1,
        "tool": "pip",
        "path": str(user.pip_conf),
        "base": base64.b64encode(before.encode()).decode(),
        "mode": 0o644,
        "written": hashlib.sha256(written.encode()).hexdigest(),
        "entries": [["codeartifact", user.url, ""]],
        "expires_at": None,
    }
    folder = user.home / ".local" / "state" / "codeartifact-pipenv" / "logins"
    folder.mkdir(parents=True, mode=0o700)
    name = hashlib.sha256(str(user.pip_conf.resolve()).encode()).hexdigest()
    (folder / f"{name}.json").write_text(json.dumps(record))
    (folder / f"{name}.json").chmod(0o600)
    said = user.ca("logout").stdout
    assert list(folder.glob("*.json")) == []
    assert mode(user.pip_conf) == 0o644
    user.has_no_token()
    if is_edited:
        assert user.pip_conf.read_text() == "# mine\n[global]\ntimeout = 9\n"
        aside = said.partition("its earlier content is in ")[2].partition(";")[0].split("\n")[0]
        assert Path(aside.removesuffix(".")).read_text() == before
    else:
        assert user.pip_conf.read_text() == before


@pytest.mark.parametrize("tool", ["pip", "twine", "netrc"])
def test_what_the_aws_cli_logged_in(user: User, tool: str) -> None:
    """Logout takes out tokens that `aws codeartifact login` wrote, and what names no token stays."""
    page, host = f"{user.url.removeprefix('https://')}simple/", user.sandbox.endpoint.host
    texts = {
        "pip": (
            ".config/pip/pip.conf",
            f"[global]\nindex-url = https://aws:{user.token()}@{page}\n"
            f"[install]\nextra-index-url = https://aws@{page}\n",
            f"[install]\nextra-index-url = https://aws@{page}\n",
        ),
        "twine": (
            ".pypirc",
            "[distutils]\nindex-servers=\n\tpypi\n\tcodeartifact\n\n[codeartifact]\n"
            f"repository = {user.url}\nusername = aws\npassword = {user.token()}\n\n"
            f"[mine]\nrepository = {user.url}\n",
            f"[distutils]\nindex-servers =\n    pypi\n[mine]\nrepository = {user.url}\n",
        ),
        "netrc": (
            ".netrc",
            f"machine a.example login b password c\nmachine {host} login aws password {user.token()}\n",
            "machine a.example login b password c\n",
        ),
    }
    name, text, left = texts[tool]
    path = user.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert f"Removed the CodeArtifact tokens in {path}." in user.ca("logout", tool).stdout
    assert path.read_text().replace("\n\n", "\n") == left
