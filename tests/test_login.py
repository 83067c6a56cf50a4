"""`login` and `logout`: pip, twine and curl use the written files, and logout restores them."""

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
    """A user in a working directory.

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
        """Assert that no file of the home holds the token and no temporary file is left."""
        assert files_with(self.token(), [self.home]) == []
        assert list(self.home.rglob("*.pipenv-ca")) == []


@pytest.fixture
def user(home: Path, project: Path, sandbox_env: dict[str, str], sandbox: Sandbox) -> User:
    """Return a user with the programs of this environment on the PATH."""
    return User(home, project, sandbox_env | {"PATH": f"{SCRIPTS}:{sandbox_env['PATH']}"}, sandbox)


@pytest.fixture(scope="session")
def shared_venv(shared: Path, clean_base: dict[str, str]) -> Path:
    """Return a virtual environment that contains only pip."""
    place = shared / "an env"
    done = run(sys.executable, "-m", "venv", place, env=clean_base, cwd=shared)
    assert done.status == 0, done.output
    return place


@pytest.fixture
def venv(shared_venv: Path) -> Iterator[Path]:
    """Return a virtual environment whose pip is not configured."""
    yield shared_venv
    (shared_venv / "pip.conf").unlink(missing_ok=True)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a wheel that was never published, a different one for each test."""
    return make_wheel(tmp_path / "built", "acme-upload", f"1.{time.time_ns()}")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.wide
def test_plain_pip_installs_after_login_and_logout_restores_its_file(
    user: User, venv: Path
) -> None:
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
def test_pip_login_is_for_the_active_environment_unless_user_is_given(
    user: User, venv: Path
) -> None:
    """An active environment gets its own login, unless --user is given; --environment names another."""
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
def test_pip_login_by_keyring_writes_no_token(user: User, venv: Path) -> None:
    """Login suggests --keyring where pip can use it; with --keyring no token is written."""
    offered = user.ca("login", "pip", "--environment", venv, user.url).stdout
    assert f"pipenv-ca login pip --environment '{venv}' {user.url} --keyring" in offered
    user.ca("login", "pip", "--keyring", "--environment", venv, user.url)
    assert "keyring-provider = subprocess" in (venv / "pip.conf").read_text()
    user.has_no_token()
    user.does(venv / "bin" / "pip", "install", "--no-deps", "--target", "t", "orb-common")
    user.ca("logout")
    assert not (venv / "pip.conf").exists()


@pytest.mark.wide
def test_pip_login_by_keyring_says_what_to_install_when_keyring_is_missing(
    user: User, venv: Path
) -> None:
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
def test_more_repositories_become_extra_indexes_next_to_the_users(user: User, venv: Path) -> None:
    """The first repository is pip's index; the others are added to the user's extra indexes."""
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
def test_twine_uploads_by_repository_name_after_login(user: User, wheel: Path) -> None:
    """No keyring is needed."""
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
def test_twine_login_by_keyring_writes_no_token(user: User, wheel: Path) -> None:
    """Twine finds the repository by name and gets the token from keyring."""
    offered = user.ca("login", "twine", user.url).stdout
    assert "let twine ask keyring" in offered
    user.ca("login", "twine", "--keyring", user.url)
    user.has_no_token()
    user.does("twine", "upload", "--non-interactive", "-r", "codeartifact", wheel)


@pytest.mark.wide
def test_each_twine_login_keeps_the_other_repositories(user: User) -> None:
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


def test_curl_reads_a_private_page_after_netrc_login(user: User) -> None:
    """Every other entry in the file is kept."""
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


def test_login_without_a_url_uses_the_repositories_of_the_pipfile(user: User) -> None:
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
def test_a_source_name_cannot_replace_or_add_a_section_of_pypirc(user: User, name: str) -> None:
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
def test_dry_run_writes_nothing_and_shows_no_secret(user: User) -> None:
    pypirc = user.home / ".pypirc"
    pypirc.write_text("[mine]\npassword = hidden\n")
    for tool in ("pip", "twine", "netrc"):
        said = user.ca("login", tool, user.url, "--dry-run")
        assert " would contain:\n" in said.stdout
        assert "hidden" not in said.output
        assert user.token() not in said.output
    assert pypirc.read_text() == "[mine]\npassword = hidden\n"
    assert not user.pip_conf.exists()
    user.ca("login", "twine", user.url)
    before = pypirc.read_text()
    assert "Would restore " in user.ca("logout", "--dry-run").stdout
    assert pypirc.read_text() == before


@pytest.mark.wide
def test_edits_after_a_login_survive_logout_and_another_login(user: User) -> None:
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


def test_login_writes_through_a_symlink_and_logout_restores_its_target(user: User) -> None:
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


@pytest.mark.wide
@pytest.mark.parametrize("case", REFUSED)
def test_login_refuses_a_file_that_it_cannot_parse_and_keeps_it(user: User, case: str) -> None:
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


def test_login_fails_clearly_when_a_directory_is_in_place_of_the_file(user: User) -> None:
    """No record of a login is kept."""
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
    "half-named": (("pip", "--domain-owner", "123456789012"), "The domain is not set"),
    "domain-only": (
        ("pip", "--domain", "one", "--domain-owner", "123456789012", "--region", "eu-west-1"),
        "names no repository",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_login_refuses_arguments_that_do_not_fit_and_writes_nothing(user: User, case: str) -> None:
    words, why = WORDS[case]
    meant = {"URL": user.url, "HOST": user.sandbox.endpoint.host}
    said = user.ca("login", *(meant.get(word, word) for word in words), status=2)
    assert why in said.stderr
    assert [path.name for path in user.home.iterdir()] in ([], [".config"], [".local"])


@pytest.mark.wide
@pytest.mark.parametrize("is_whole", [True, False])
def test_repository_can_be_named_by_options_of_the_aws_cli(user: User, is_whole: bool) -> None:
    """Owner and region default to the caller's."""
    domain = user.sandbox.endpoint.domain
    user.env["AWS_REGION"] = domain.region
    words = ["--domain", domain.name]
    if is_whole:
        words += ["--domain-owner", domain.owner, "--region", domain.region]
    said = user.ca("login", "pip", *words, "--repository", "team", "--dry-run").stdout
    assert f"{user.url.removeprefix('https://')}simple/" in said
    token = json.loads(user.ca("token", *words, "--json").stdout)
    assert (token["domain_owner"], token["region"]) == (domain.owner, domain.region)


def test_a_missing_region_credential_or_tool_is_named(user: User) -> None:
    assert "The AWS region is not set" in user.ca("token", "--domain", "x1", status=2).stderr
    user.env["AWS_REGION"] = "eu-west-1"
    nobody = user._replace(env={k: v for k, v in user.env.items() if "ACCESS_KEY" not in k})
    said = nobody.ca("token", "--domain", "x1", status=1).stderr
    assert "[no-credentials]" in said
    assert "required: tool\n" in user.ca("login", status=2).stderr.replace(".", "")


def test_login_warns_of_a_variable_that_overrides_the_file(user: User) -> None:
    over = user._replace(env=user.env | {"PIP_INDEX_URL": "https://other.example/simple"})
    assert "PIP_INDEX_URL is set" in over.ca("login", "pip", user.url).stderr


def test_login_without_a_token_does_not_write_the_file(user: User) -> None:
    user.sandbox.deny("codeartifact:GetAuthorizationToken")
    try:
        said = user.ca("login", "netrc", user.url, status=1)
    finally:
        user.sandbox.allow("codeartifact:GetAuthorizationToken")
    assert "error: " in said.stderr
    assert not (user.home / ".netrc").exists()


@pytest.mark.wide
def test_concurrent_logins_are_undone_by_one_logout(user: User) -> None:
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
    """Logout removes the record and the temporary file of a login that was killed."""
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


def test_logout_removes_the_cached_token_and_names_the_remaining_ones(user: User) -> None:
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


def test_logout_without_a_tool_removes_the_projects_cached_token(user: User) -> None:
    write_pipfile(user.folder, source(user.sandbox.endpoint), "[packages]\n")
    user.ca("token")
    said = user.ca("logout").stdout
    assert said == f"Removed the cached token of {user.sandbox.endpoint.domain}.\n"
    assert cached(user) == 0


@pytest.mark.wide
@pytest.mark.parametrize("is_edited", [False, True])
def test_logout_undoes_a_login_made_by_version_one(user: User, is_edited: bool) -> None:
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


@pytest.mark.wide
@pytest.mark.parametrize("tool", ["pip", "twine", "netrc"])
def test_logout_removes_tokens_that_aws_codeartifact_login_wrote(user: User, tool: str) -> None:
    """Entries without a token are kept."""
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
