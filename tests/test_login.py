"""`login` and `logout`: pip, twine and curl use the written files, and logout restores them."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.projects import source, write_pipfile
from support.runs import get_token, without_credentials
from support.traces import files_below, files_with

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from support.clients import Clients, Place

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PIP_CONF = ".config/pip/pip.conf"
INSTALL = ("install", "--no-deps", "--target", "t", "orb-common")


class User(NamedTuple):
    """A user in a working directory, with the environment that leads to a CodeArtifact."""

    home: Path
    folder: Path
    env: dict[str, str]
    sandbox: Sandbox

    def does(self, *words: str | Path, status: int = 0, **variables: str | Path) -> Result:
        env = self.env | {name: str(value) for name, value in variables.items()}
        done = run(*words, env=env, cwd=self.folder)
        assert done.status == status, done.output
        return done

    def ca(self, *words: str | Path, status: int = 0, **variables: str | Path) -> Result:
        return self.does(PIPENV_CA, *words, status=status, **variables)

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file below the home folder."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    @property
    def url(self) -> str:
        return self.sandbox.endpoint.url

    @property
    def lonely(self) -> str:
        return self.url.replace("/team/", "/lonely/")

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


@pytest.fixture
def venv(clients: Clients, tmp_path: Path) -> Place:
    """Return a virtual environment that contains only pip."""
    return clients.make_venv(tmp_path / "an env", "pip")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.wide
def test_plain_pip_installs_after_login_and_logout_restores_its_file(
    user: User, venv: Place
) -> None:
    """A second repository is an extra index next to the user's own."""
    own = "# mine\n[global]\n# of %(this)s\nextra-index-url = https://mine.example/a%b\n"
    conf = user.write(PIP_CONF, own)
    user.ca("login", "pip", user.url, user.lonely)
    said = user.ca("login", "pip", user.url, user.lonely)
    assert "The token expires at " in said.stdout
    assert "(in 12 hours)" in said.stdout
    assert user.token() not in said.output
    assert (mode(conf), conf.read_text().startswith("# mine\n[global]\n# of")) == (0o600, True)
    mine, lonely = conf.read_text().partition("extra-index-url =")[2].split()[:2]
    assert (mine, lonely.partition("@")[2]) == (
        "https://mine.example/a%b",
        f"{user.lonely.removeprefix('https://')}simple/",
    )
    user.env["PIP_RETRIES"] = "0"  # mine.example does not exist
    user.does(venv.bin / "pip", *INSTALL)
    user.ca("logout", "pip")
    assert (mode(conf), conf.read_text()) == (0o644, own)
    user.has_no_token()


@pytest.mark.wide
def test_pip_login_is_for_the_active_environment_unless_user_is_given(
    user: User, venv: Place
) -> None:
    conf, own = venv.folder / "pip.conf", user.home / PIP_CONF
    user.ca("login", "pip", user.url, VIRTUAL_ENV=venv.folder)
    assert (own.exists(), mode(conf)) == (False, 0o600)
    user.does(venv.bin / "pip", *INSTALL, VIRTUAL_ENV=venv.folder)
    user.ca("logout", VIRTUAL_ENV=venv.folder)
    assert not conf.exists()
    user.ca("login", "pip", "--environment", venv.folder, user.url)
    user.ca("login", "pip", "--user", user.url, VIRTUAL_ENV=venv.folder)
    assert (own.exists(), conf.exists()) == (True, True)
    user.ca("logout")
    assert (own.exists(), conf.exists()) == (False, False)


@pytest.mark.wide
def test_pip_login_by_keyring_writes_no_token_or_says_what_to_install(
    user: User, venv: Place
) -> None:
    """Login suggests --keyring where pip can use it."""
    conf, words = venv.folder / "pip.conf", ("login", "pip", "--environment", venv.folder, user.url)
    said = user.ca(*words, "--keyring", status=2, PATH=venv.bin).stderr
    assert "A keyring with codeartifact-pipenv was not found" in said
    assert "uv tool install keyring --with codeartifact-pipenv" in said
    assert not conf.exists()
    assert "ask keyring" not in user.ca(*words, PATH=venv.bin).stdout
    offered = f"pipenv-ca login pip --environment '{venv.folder}' {user.url} --keyring"
    assert offered in user.ca(*words).stdout
    user.ca(*words, "--keyring")
    assert "keyring-provider = subprocess" in conf.read_text()
    user.has_no_token()
    user.does(venv.bin / "pip", *INSTALL)
    user.ca("logout")
    assert not conf.exists()


@pytest.mark.wide
@pytest.mark.parametrize("by_keyring", [False, True])
def test_twine_uploads_by_repository_name_after_login(
    user: User, tmp_path: Path, by_keyring: bool
) -> None:
    """Login suggests --keyring; with it, no token is written."""
    assert "let twine ask keyring" in user.ca("login", "twine", user.url).stdout
    assert mode(user.home / ".pypirc") == 0o600
    backend = "keyring.backends.null.Keyring"
    if by_keyring:
        user.ca("login", "twine", "--keyring", user.url)
        user.has_no_token()
        backend = "codeartifact_pipenv.auth.backend.CodeArtifactBackend"
    name = "acme-keyring" if by_keyring else "acme-token"
    words = ("twine", "upload", "--non-interactive", "-r", "codeartifact")
    user.does(*words, make_wheel(tmp_path, name, "1.0"), PYTHON_KEYRING_BACKEND=backend)
    assert user.sandbox.is_published(name)
    user.ca("logout", "twine")
    assert not (user.home / ".pypirc").exists()
    user.has_no_token()


@pytest.mark.wide
def test_each_twine_login_keeps_the_other_repositories(user: User) -> None:
    servers = "[distutils]\nindex-servers =\n    mine\n\n"
    mine = "[mine]\n# 100% mine\nusername = a%b\npassword: c ; d\n"
    pypirc = user.write(".pypirc", servers + mine)
    user.ca("login", "twine", user.url)
    second = user.ca("login", "twine", user.lonely)
    assert "twine upload -r codeartifact-lonely dist/*" in second.stdout
    user.ca("login", "twine", "--name", "third", user.url)
    found = pypirc.read_text()
    names = ["mine", "codeartifact", "codeartifact-lonely", "third"]
    assert re.findall(r"^    (\S+)$", found, re.MULTILINE) == names
    assert mine in found
    user.ca("logout")
    assert pypirc.read_text() == servers + mine


def test_curl_reads_a_private_page_after_netrc_login_through_a_symlink(user: User) -> None:
    """Every other entry in the file is kept."""
    own = "# mine\nmachine a.example login b password c%d\ndefault login e password f"
    real, link = user.write("dotfiles/netrc", own, 0o640), user.home / ".netrc"
    link.symlink_to(real)
    user.ca("login", "netrc", user.url)
    assert (link.is_symlink(), mode(real), own in real.read_text()) == (True, 0o600, True)
    page = f"{user.url}simple/orb-common/"
    assert "orb_common" in user.does("curl", "-sS", "--fail", "--netrc", page).stdout
    user.ca("logout", "netrc")
    assert (link.is_symlink(), mode(real), real.read_text()) == (True, 0o640, own)


def test_login_without_a_url_uses_the_repositories_of_the_pipfile(user: User) -> None:
    lonely = user.sandbox.endpoint._replace(repository="lonely")
    sources = [source(user.sandbox.endpoint, name="ours"), source(lonely, name="theirs")]
    write_pipfile(user.folder, *sources, "[packages]\n")
    said = user.ca("login", "twine").stdout
    assert "twine upload -r ours dist/*" in said
    assert "twine upload -r theirs dist/*" in said
    said = user.ca("login", "pip", "--dry-run").stdout
    assert "index-url = https://aws:****@" in said
    assert "extra-index-url =\n      https://aws:****@" in said


@pytest.mark.wide
@pytest.mark.parametrize("name", ["a]\n[global]\nx = 1", "pypi"])
def test_a_source_name_cannot_replace_or_add_a_section_of_pypirc(user: User, name: str) -> None:
    pypirc = user.write(".pypirc", "[pypi]\nusername = mine\n")
    write_pipfile(user.folder, source(user.sandbox.endpoint, name=repr(name)[1:-1]), "[packages]\n")
    user.ca("login", "twine")
    text = pypirc.read_text()
    found = [line for line in text.splitlines() if line.startswith("[")]
    assert found == ["[pypi]", "[distutils]", "[codeartifact]"]
    assert "[pypi]\nusername = mine\n" in text
    said = user.ca("login", "twine", "--name", name, user.url, status=2)
    assert "cannot be the name of a repository" in said.stderr


@pytest.mark.wide
@pytest.mark.parametrize("tool", ["pip", "twine", "netrc"])
def test_dry_run_writes_nothing_and_shows_no_secret(user: User, tool: str) -> None:
    own = "[mine]\npassword = hidden\n"
    pypirc = user.write(".pypirc", own)
    said = user.ca("login", tool, user.url, "--dry-run")
    assert " would contain:\n" in said.stdout
    assert "hidden" not in said.output
    assert user.token() not in said.output
    assert list(files_below(user.home)) == [pypirc]
    assert pypirc.read_text() == own


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "text", "tool", "why"),
    [
        (".pypirc", "[a]\nx=secret\n[a]\n", "twine", "begins section [a] a second time"),
        (".netrc", "machine a login b\nwhat is this secret", "netrc", "line 2"),
        (PIP_CONF, "index-url = https://a:secret@b/", "pip", "line 1"),
    ],
)
def test_login_refuses_a_file_that_it_cannot_parse_and_keeps_it(
    user: User, name: str, text: str, tool: str, why: str
) -> None:
    path = user.write(name, text)
    said = user.ca("login", tool, user.url, status=2)
    assert said.stderr.count("error: ") == said.stderr.count("hint: ") == 1
    assert str(path) in said.stderr
    assert why in said.stderr
    assert "secret" not in said.output
    assert path.read_text() == text
    assert "No login" in user.ca("logout").stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("pip https://pypi.example/simple/", "is not a CodeArtifact endpoint"),
        ("pip", "A Pipfile was not found"),
        ("netrc --keyring URL", "netrc does not ask a keyring"),
        ("pip --name x URL", "--name is only for twine"),
        ("twine --user URL", "--user and --environment are for pip"),
        ("pip --environment nowhere URL", "is not a virtual environment"),
        ("pip HOST", "names no repository"),
        ("pip --domain-owner 123456789012", "The domain is not set"),
        ("pip --domain one --repository x", "The AWS region is not set"),
    ],
)
def test_login_refuses_arguments_that_do_not_fit_and_writes_nothing(
    user: User, words: str, why: str
) -> None:
    given = words.replace("URL", user.url).replace("HOST", user.sandbox.endpoint.host)
    assert why in user.ca("login", *given.split(), status=2).stderr
    assert list(files_below(user.home)) == []


@pytest.mark.wide
@pytest.mark.parametrize("is_whole", [True, False])
def test_repository_can_be_named_by_options_of_the_aws_cli(user: User, is_whole: bool) -> None:
    """Owner and region default to the caller's."""
    name, owner, region = user.sandbox.endpoint.domain
    user.env["AWS_REGION"] = region
    words = ["--domain", name, *(["--domain-owner", owner, "--region", region] * is_whole)]
    said = user.ca("login", "pip", *words, "--repository", "team", "--dry-run").stdout
    assert f"{user.url.removeprefix('https://')}simple/" in said
    token = json.loads(user.ca("token", *words, "--json").stdout)
    assert (token["domain_owner"], token["region"]) == (owner, region)


def test_login_warns_of_a_variable_that_overrides_and_needs_credentials(user: User) -> None:
    nobody = user._replace(env=without_credentials(user.env))
    assert "[no-credentials]" in nobody.ca("login", "pip", user.url, status=1).stderr
    assert list(files_below(user.home)) == []
    said = user.ca("login", "pip", user.url, PIP_INDEX_URL="https://other.example/simple")
    assert "PIP_INDEX_URL is set" in said.stderr


@pytest.mark.wide
def test_edits_after_a_login_survive_each_login_and_logout(user: User) -> None:
    conf = user.home / PIP_CONF
    user.ca("login", "pip", user.url)
    conf.write_text(f"{conf.read_text()}retries = 7\n")
    user.ca("login", "pip", user.url)
    before = conf.read_text()
    assert "retries = 7" in before
    assert "Would " in user.ca("logout", "--dry-run").stdout
    assert conf.read_text() == before
    user.ca("logout")
    assert conf.read_text() == "[global]\nretries = 7\n"
    user.ca("login", "pip", user.url)
    conf.unlink()
    user.ca("logout")
    assert not conf.exists()
    assert "No login was found." in user.ca("logout").stdout


@pytest.mark.wide
@pytest.mark.parametrize("case", ["a login of version one", "a second login"])
def test_lines_that_a_login_loses_are_kept_aside(user: User, case: str) -> None:
    own = "# mine\n[global]\nindex-url = https://mine.example/simple\n"
    conf = user.write(PIP_CONF, own, 0o640)
    user.ca("login", "pip", user.url)
    conf.write_text(f"{conf.read_text()}timeout = 9\n")
    if case == "a second login":
        user.ca("login", "pip", user.url)
    else:
        (record,) = user.home.rglob("logins/*.json")
        former = record.read_text().replace('"version": 2', '"version": 1, "entries": []')
        record.write_text(former)
    said = user.ca("logout").stdout
    assert (mode(conf), conf.read_text()) == (0o640, "# mine\n[global]\ntimeout = 9\n")
    aside = said.partition("its earlier content is in ")[2].partition("\n")[0]
    assert Path(aside.removesuffix(".")).read_text() == own
    user.has_no_token()


@pytest.mark.wide
def test_concurrent_logins_are_undone_by_one_logout(user: User) -> None:
    netrc = user.write(".netrc", "# mine\n")
    words = [PIPENV_CA, "login", "netrc", user.url]
    started = [
        subprocess.Popen(words, env=user.env, cwd=user.folder, stdout=subprocess.DEVNULL)
        for _ in range(6)
    ]
    assert [process.wait(60) for process in started] == [0] * 6
    assert netrc.read_text().count("machine ") == 1
    user.ca("logout")
    assert netrc.read_text() == "# mine\n"


def test_logout_removes_the_temporary_file_of_a_killed_login(user: User) -> None:
    netrc = user.write(".netrc", "# mine\n")
    user.ca("login", "netrc", user.url)
    netrc.rename(user.home / "..netrc.1f.pipenv-ca")
    netrc.write_text("# mine\n")
    user.ca("logout")
    assert netrc.read_text() == "# mine\n"
    user.has_no_token()
    assert "No login" in user.ca("logout").stdout


def test_logout_removes_cached_tokens_of_logins_and_the_project_and_names_others(
    user: User,
) -> None:
    domain = user.sandbox.endpoint.domain
    other = user.sandbox.add_repository("apart", domain="logout-other")
    remain = f"Cached tokens remain for {other.domain}; `pipenv-ca logout --all`"
    user.ca("login", "netrc", user.url)
    user.ca("token", other.url)
    assert "Would remove the cached token" in user.ca("logout", "--dry-run").stdout
    said = user.ca("logout").stdout
    assert f"Removed the cached token of {domain}." in said
    assert remain in said
    said = user.ca("logout").stdout
    assert "No login was found." in said
    assert remain in said
    write_pipfile(user.folder, source(user.sandbox.endpoint), "[packages]\n")
    user.ca("token")
    assert f"Removed the cached token of {domain}." in user.ca("logout").stdout
    assert f"Removed the cached token of {other.domain}." in user.ca("logout", "--all").stdout
    assert list(Path(user.env["PIPENV_CA_CACHE_DIR"]).glob("*.json")) == []


# By tool: its file, the file after `aws codeartifact login`, and after our logout.
OF_AWS = {
    "pip": (
        PIP_CONF,
        "[global]\nindex-url = https://aws:TOKEN@PLACEsimple/\n"
        "[install]\nextra-index-url = https://aws@PLACEsimple/\n",
        "[install]\nextra-index-url = https://aws@PLACEsimple/\n",
    ),
    "twine": (
        ".pypirc",
        "[distutils]\nindex-servers=\n\tpypi\n\tcodeartifact\n\n[codeartifact]\nrepository ="
        " https://PLACE\nusername = aws\npassword = TOKEN\n\n[mine]\nrepository = https://PLACE\n",
        "[distutils]\nindex-servers =\n    pypi\n[mine]\nrepository = https://PLACE\n",
    ),
    "netrc": (
        ".netrc",
        "machine a.example login b password c\nmachine HOST login aws password TOKEN\n",
        "machine a.example login b password c\n",
    ),
}


@pytest.mark.wide
@pytest.mark.parametrize("tool", OF_AWS)
def test_logout_removes_tokens_that_aws_codeartifact_login_wrote(user: User, tool: str) -> None:
    """Entries without a token are kept."""
    name, text, left = OF_AWS[tool]
    text = text.replace("TOKEN", user.token()).replace("HOST", user.sandbox.endpoint.host)
    path = user.write(name, text.replace("PLACE", user.url.removeprefix("https://")))
    assert f"Removed the CodeArtifact tokens in {path}." in user.ca("logout", tool).stdout
    assert path.read_text().replace("\n\n", "\n") == left.replace(
        "PLACE", user.url.removeprefix("https://")
    )
