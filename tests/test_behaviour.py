"""Every reading of what AWS does not say: what the sandbox does, and that clients get by."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support import PIPENV_CA, SCRIPTS, Result, run, source, write_pipfile
from support_sandbox import JSON, Http, ask, client, enter, get_token, upload

from codeartifact_pipenv.sandbox.behaviour import SWITCHES, Behaviour, read_behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = "acme_alone-2.0-py3-none-any.whl"
MODULE = {"acme_alone/__init__.py": ""}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with one private wheel, and another one that it needs."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-alone", "2.0", requires=["acme-base"], modules=MODULE)
    make_wheel(folder, "acme-base", "1.0")
    return folder


@contextmanager
def behaving(packages: Path, base: dict[str, str], **chosen: Any) -> Iterator[tuple[Sandbox, Http]]:
    behaviour = Behaviour(**chosen)
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=base) as sandbox:
        http = Http(sandbox)
        yield sandbox, http
        http.close()


# --- the switches themselves -------------------------------------------------------------


def test_words_choose_every_value() -> None:
    """Every value of every switch can be chosen by the word that the help shows for it."""
    for switch in SWITCHES.values():
        for word in switch.spelled.replace("SECONDS", "2.5").split("|"):
            chosen = getattr(read_behaviour([f"{switch.name}={word}"]), switch.name)
            assert chosen in (switch.values or {2.5})
        assert read_behaviour([]) == Behaviour()
    assert read_behaviour(["redirect=307", "redirect=none", "metadata=yes"]) == Behaviour(
        metadata=True
    )


@pytest.mark.parametrize(
    ("word", "says", "hint"),
    [
        ("roots=404", "no behaviour roots", "root=404|403|405, links="),
        ("root", "root is not NAME=VALUE", "visible_after=SECONDS"),
        ("root=302", "root cannot be 302", "404, 403, 405"),
        ("root=", "root cannot be ", "404, 403, 405"),
        ("metadata=True", "metadata cannot be True", "no, yes"),
        ("visible_after=-1", "visible_after cannot be -1", "a number of seconds"),
        ("visible_after=nan", "visible_after cannot be nan", "a number of seconds"),
    ],
)
def test_what_is_no_behaviour_is_said(word: str, says: str, hint: str) -> None:
    """A name or a value that is not known is refused, with what there is."""
    with pytest.raises(SandboxError, match=says) as caught:
        read_behaviour([word])
    assert hint in caught.value.hint


def test_a_value_of_another_type_is_refused() -> None:
    """True does not pass for a status, nor 1 for True."""
    for chosen in ({"throttled_read_wait": True}, {"metadata": 1}, {"visible_after": True}):
        with pytest.raises(SandboxError, match="cannot be"):
            Behaviour(**chosen)


# --- the package endpoint ----------------------------------------------------------------


@pytest.mark.parametrize("challenges", SWITCHES["challenges"].values)
def test_challenges(packages: Path, clean_base: dict[str, str], challenges: str) -> None:
    """A 401 asks for the logins that were chosen, in their order."""
    with behaving(packages, clean_base, challenges=challenges) as (sandbox, http):
        answer = http(f"{sandbox.endpoint.simple_url}acme-alone/")
        kinds = [each.split()[0].lower() for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, "-".join(kinds)) == (401, challenges)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_statuses(packages: Path, clean_base: dict[str, str], status: int) -> None:
    """The root, a denied read and a blocked upload have the statuses that were chosen."""
    chosen = {
        "root": status if status != 401 else 405,
        "read_denied": status,
        "publish_blocked": {401: 400}.get(status, 403),
    }
    with behaving(packages, clean_base, **chosen) as (sandbox, http):
        token, url = get_token(sandbox), sandbox.endpoint.simple_url
        assert http(url, token).status == chosen["root"]
        sandbox.deny("codeartifact:ReadFromRepository")
        answer = http(f"{url}acme-alone/", token)
        assert (answer.status, "WWW-Authenticate" in answer.headers) == (status, status == 401)
        sandbox.set_origin("acme-new", publish="BLOCK")
        wheel = make_wheel(packages / "new", "acme-new", "1.0")
        assert upload(http, sandbox.endpoint, token, wheel) == chosen["publish_blocked"]


@pytest.mark.parametrize("form", ["text/html", JSON])
@pytest.mark.parametrize(
    ("links", "begins"),
    [
        ("relative", "2.0/"),
        ("path", "/pypi/pypi-store/simple/acme-alone/2.0/"),
        (
            "absolute",
            "https://demo-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/pypi-store/simple/acme-alone/2.0/",
        ),
    ],
)
def test_links(
    packages: Path, clean_base: dict[str, str], links: str, begins: str, form: str
) -> None:
    """Both forms of a page spell addresses as chosen."""
    with behaving(packages, clean_base, links=links) as (sandbox, http):
        url = f"{sandbox.endpoint.simple_url}acme-alone/"
        page = http(url, get_token(sandbox), headers={"Accept": form}).data.decode()
        (found,) = re.findall(rf'"([^"]*){re.escape(WHEEL)}[#"]', page.replace(f'"{WHEEL}"', ""))
        assert found == begins


def test_metadata_apart(packages: Path, clean_base: dict[str, str]) -> None:
    """Where it is chosen both forms offer a wheel's metadata, with its hash, behind the login."""
    with zipfile.ZipFile(packages / WHEEL) as wheel:
        metadata = wheel.read("acme_alone-2.0.dist-info/METADATA")
    digest = hashlib.sha256(metadata).hexdigest()
    with behaving(packages, clean_base, metadata=True) as (sandbox, http):
        token, url = get_token(sandbox), f"{sandbox.endpoint.simple_url}acme-alone/"
        (file,) = http(url, token, headers={"Accept": JSON}).json()["files"]
        assert file["core-metadata"] == file["dist-info-metadata"] == {"sha256": digest}
        assert f'data-core-metadata="sha256={digest}"'.encode() in http(url, token).data
        assert http(f"{url}2.0/{WHEEL}.metadata", token).data == metadata
        assert http(f"{url}2.0/{WHEEL}.metadata").status == 401
        assert http(f"{url}2.0/other.whl.metadata", token).status == 404


@pytest.mark.parametrize(("status", "wait"), [(429, None), (503, 1)])
def test_reads_are_limited_by_token(
    packages: Path, clean_base: dict[str, str], status: int, wait: int | None
) -> None:
    """Beyond so many requests a second with one token it is throttled, as chosen; another is not."""
    chosen = {"throttled_read": status, "throttled_read_wait": wait}
    with behaving(packages, clean_base, **chosen) as (sandbox, http):
        url, token = f"{sandbox.endpoint.simple_url}acme-alone/", get_token(sandbox)
        sandbox.limit_reads(0, times=2)
        answer = http(url, token)
        assert answer.status == status
        assert answer.headers.get("Retry-After") == (None if wait is None else str(wait))
        # Who is not let in is not counted, and the limit ends.
        assert http(url).status == 401
        assert [http(url, token).status for _ in range(3)] == [status, 200, 200]
        sandbox.limit_reads(1)
        other = get_token(sandbox)
        assert [http(url, each).status for each in (token, other)] == [200, 200]
        assert [http(url, each).status for each in (token, other)] == [status, status]
        sandbox.heal()
        assert http(url, token).status == 200


# --- the API -----------------------------------------------------------------------------


def code_of(call: Any, **arguments: Any) -> str:
    """Return the code of the error that a call ends with; '' for none."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize("answer", SWITCHES["same_connection"].values)
def test_the_same_connection_again(
    packages: Path, clean_base: dict[str, str], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """The same connection gets the chosen answer, another one the refusal that is known."""
    with behaving(packages, clean_base, same_connection=answer) as (sandbox, _):
        enter(sandbox, monkeypatch)
        api = client()
        place = {"domain": "demo", "repository": "pypi-store"}
        for connection, code in (
            ("public:pypi", ""),
            ("public:pypi", "" if answer == "success" else answer),
            ("public:npmjs", "ValidationException"),
        ):
            call = api.associate_external_connection
            assert code_of(call, **place, externalConnection=connection) == code
        found = api.describe_repository(**place)["repository"]["externalConnections"]
        assert [each["externalConnectionName"] for each in found] == ["public:pypi"]


@pytest.mark.parametrize("answer", SWITCHES["upstreams_and_connection"].values)
def test_upstreams_beside_a_connection(
    packages: Path, clean_base: dict[str, str], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Either way round the second of the two is refused as chosen, and nothing is changed."""
    with behaving(packages, clean_base, upstreams_and_connection=answer) as (sandbox, _):
        sandbox.add_repository("connected", upstream=True)
        sandbox.add_repository("behind", upstreams=["connected"])
        enter(sandbox, monkeypatch)
        api = client()
        upstreams = [{"repositoryName": "pypi-store"}]
        one, other = ({"domain": "demo", "repository": name} for name in ("connected", "behind"))
        assert code_of(api.update_repository, **one, upstreams=upstreams) == answer
        connect = api.associate_external_connection
        assert code_of(connect, **other, externalConnection="public:pypi") == answer
        assert api.describe_repository(**one)["repository"]["upstreams"] == []
        assert api.describe_repository(**other)["repository"]["externalConnections"] == []


def test_a_token_of_duration_0(packages: Path, clean_base: dict[str, str]) -> None:
    """Keys that do not end get 12 hours for a duration of 0, or are refused where that is chosen."""
    path = "/v1/authorization-token?domain=demo&duration=0"
    for chosen, status in (("12-hours", 200), ("ValidationException", 400)):
        with behaving(packages, clean_base, zero_duration=chosen) as (sandbox, _):
            answer = ask(sandbox, "POST", path)
            assert answer.status == status
            assert answer.headers.get("x-amzn-errortype", "12-hours") == chosen
            assert ask(sandbox, "POST", path.replace("=0", "=900")).status == 200


def test_what_is_made_can_be_late(packages: Path, clean_base: dict[str, str]) -> None:
    """What was made is described only after the chosen time, and what was there before at once."""
    with behaving(packages, clean_base, visible_after=30) as (sandbox, _):
        new = ("/v1/domain?domain=new-dom", "/v1/repository?domain=new-dom&repository=new-repo")
        assert [ask(sandbox, "POST", path).status for path in new] == [200, 200]
        answers = [ask(sandbox, "GET", path) for path in new]
        assert [answer.status for answer in answers] == [404, 404]
        assert {each.headers["x-amzn-errortype"] for each in answers} == {
            "ResourceNotFoundException"
        }
        assert [ask(sandbox, "POST", path).status for path in new] == [409, 409]
        assert ask(sandbox, "GET", "/v1/domain?domain=demo").status == 200
        sandbox.clock_offset = 31
        assert [ask(sandbox, "GET", path).status for path in new] == [200, 200]


# --- clients, whatever AWS does ----------------------------------------------------------

READINGS = [
    f"{name}={word}"
    for name in ("challenges", "links", "metadata", "pages", "redirect", "root")
    for word in SWITCHES[name].spelled.split("|")[name != "challenges" :]
]


def install(program: str, sandbox: Sandbox, environ: dict[str, str], folder: Path) -> Result:
    """Install a private package and what it needs, with a token in the URL."""
    url = sandbox.endpoint.simple_url.replace("//", f"//aws:{get_token(sandbox)}@")
    words = [f"{SCRIPTS}/python", "-m", "pip"] if program == "pip" else [f"{SCRIPTS}/uv", "pip"]
    words += ["install", "--target", str(folder / program), "--index-url", url, "acme-alone"]
    environ = sandbox.environ(environ) | {"UV_CACHE_DIR": str(folder / "uv-cache")}
    return run(*words, env=environ | {"PIP_NO_CACHE_DIR": "1"}, cwd=folder)


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
@pytest.mark.parametrize("reading", READINGS)
def test_installers(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    reading: str,
    program: str,
) -> None:
    """Pip and uv install under each reading, and send the token to the repository's host only."""
    behaviour = read_behaviour([reading])
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=clean_base) as sandbox:
        done = install(program, sandbox, clean_env, tmp_path)
        assert done.status == 0, done.output
        assert (tmp_path / program / "acme_alone" / "__init__.py").is_file()
        assert (tmp_path / program / "acme_base-1.0.dist-info").is_dir()
        hosts = {r.host for r in sandbox.requests if r.sent and r.method in {"GET", "HEAD"}}
        assert hosts == {sandbox.endpoint.host}
        asked = [record.path for record in sandbox.requests if record.path.endswith(".metadata")]
        assert bool(asked) == behaviour.metadata


@pytest.mark.wide
@pytest.mark.parametrize(
    ("reading", "route"),
    [
        *((reading, "loopback") for reading in READINGS),
        # (As written, it is pip that follows a redirect, and pip has met each kind above.)
        *((each, "as-written") for each in READINGS if not each.startswith("redirect=30")),
        ("redirect=307", "as-written"),
    ],
)
def test_pipenv_ca(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    project: Path,
    reading: str,
    route: str,
) -> None:
    """pipenv-ca locks and installs under each reading, by either route; doctor finds no fault."""
    behaviour = read_behaviour([reading])
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=clean_base) as sandbox:
        write_pipfile(project, source(sandbox.endpoint), '[packages]\nacme-alone = "*"\n')
        environ = sandbox.environ(clean_env)
        done = run(PIPENV_CA, "--ca-route", route, "install", env=environ, cwd=project)
        assert done.status == 0, done.output
        done = run(PIPENV_CA, "run", "python", "-c", "import acme_alone", env=environ, cwd=project)
        assert done.status == 0, done.output
        done = run(PIPENV_CA, "doctor", "--json", env=environ, cwd=project)
        found = [f for section in json.loads(done.stdout)["sections"] for f in section["findings"]]
        assert [each for each in found if each["level"] == "failure"] == []


def publish(
    program: str, sandbox: Sandbox, environ: dict[str, str], wheel: Path, password: str
) -> Result:
    """Upload a wheel as twine or uv does."""
    if program == "twine":
        words = ["upload", "--non-interactive", "--repository-url", sandbox.endpoint.url]
        prefix = "TWINE_"
    else:
        words = ["publish", "--publish-url", sandbox.endpoint.url]
        prefix = "UV_PUBLISH_"
    login = {f"{prefix}USERNAME": "aws", f"{prefix}PASSWORD": password}
    environ = sandbox.environ(environ) | login
    return run(SCRIPTS / program, *words, wheel, env=environ, cwd=wheel.parent)


@pytest.mark.wide
@pytest.mark.parametrize("program", ["twine", "uv"])
@pytest.mark.parametrize("challenges", SWITCHES["challenges"].values)
def test_uploads_under_each_challenge(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    challenges: str,
    program: str,
) -> None:
    """Twine and uv publish with a good token, and fail with a bad one, whatever a 401 asks for."""
    wheel = make_wheel(tmp_path / "dist", "acme-new", "1.0")
    with behaving(packages, clean_base, challenges=challenges) as (sandbox, _):
        done = publish(program, sandbox, clean_env, wheel, "eyJ-no-token")
        assert (done.status != 0, sandbox.is_published("acme-new")) == (True, False), done.output
        done = publish(program, sandbox, clean_env, wheel, get_token(sandbox))
        assert (done.status, sandbox.is_published("acme-new")) == (0, True), done.output


@pytest.mark.wide
@pytest.mark.parametrize("program", ["twine", "uv"])
@pytest.mark.parametrize("status", SWITCHES["publish_blocked"].values)
def test_a_blocked_upload_fails(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    status: int,
    program: str,
) -> None:
    """Twine and uv fail with the status of a blocked upload, whichever it is, after one try."""
    wheel = make_wheel(tmp_path / "dist", "acme-new", "1.0")
    with behaving(packages, clean_base, publish_blocked=status) as (sandbox, _):
        sandbox.set_origin("acme-new", publish="BLOCK")
        done = publish(program, sandbox, clean_env, wheel, get_token(sandbox))
        assert done.status != 0
        assert str(status) in done.output
        posts = [r.status for r in sandbox.requests if r.method == "POST" and r.name == "acme-new"]
        assert posts == [status]
        assert not sandbox.is_published("acme-new")


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
@pytest.mark.parametrize("challenges", SWITCHES["challenges"].values)
def test_keyring_answers_each_challenge(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    challenges: str,
    program: str,
) -> None:
    """Pip and uv install by the keyring's token alone, whichever logins a 401 asks for."""
    with behaving(packages, clean_base, challenges=challenges) as (sandbox, _):
        url = sandbox.endpoint.simple_url.replace("//", "//aws@")
        words = [f"{SCRIPTS}/python", "-m", "pip"] if program == "pip" else [f"{SCRIPTS}/uv", "pip"]
        # (pip does not start the keyring command of its own environment.)
        provider = "import" if program == "pip" else "subprocess"
        words += ["install", "--target", "there", "--keyring-provider", provider]
        environ = sandbox.environ(clean_env) | {"UV_CACHE_DIR": str(tmp_path / "uv-cache")}
        environ["PATH"] = f"{SCRIPTS}:{environ['PATH']}"
        done = run(*words, "--index-url", url, "acme-alone", env=environ, cwd=tmp_path)
        assert done.status == 0, done.output
        assert (tmp_path / "there" / "acme_base-1.0.dist-info").is_dir()


@pytest.mark.wide
@pytest.mark.parametrize("status", SWITCHES["throttled_read"].values)
def test_a_throttled_read_is_named(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    project: Path,
    status: int,
) -> None:
    """pipenv-ca says which trouble a repository was in that throttled every read."""
    with behaving(packages, clean_base, throttled_read=status) as (sandbox, _):
        write_pipfile(project, source(sandbox.endpoint), '[packages]\nacme-alone = "*"\n')
        sandbox.limit_reads(0)
        done = run(PIPENV_CA, "lock", env=sandbox.environ(clean_env), cwd=project)
        assert done.status != 0
        code = "throttled" if status == 429 else "service-fault"
        assert f"[{code}]" in done.stderr, done.output


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
def test_a_wait_that_is_named_is_kept(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    program: str,
) -> None:
    """Pip and uv get through where a few reads are throttled and told how long to wait."""
    chosen = {"throttled_read": 503, "throttled_read_wait": 1}
    with behaving(packages, clean_base, **chosen) as (sandbox, _):
        sandbox.limit_reads(0, times=2)
        done = install(program, sandbox, clean_env, tmp_path)
        assert done.status == 0, done.output
        assert [r.status for r in sandbox.requests].count(503) == 2
