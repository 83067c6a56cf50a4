"""The sandbox, as real clients meet it: botocore, pip, urllib3 and its own command line."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from botocore import UNSIGNED
from botocore.config import Config
from support.programs import PIPENV_CA, Result, run
from support.runs import Terminal, started, wait_for
from support.sandbox import (
    FakePublicIndex,
    Http,
    RepositoryClient,
    client,
    enter,
    get_token,
    refused,
    serving,
)

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER = "123456789012"
ROLE = f"arn:aws:iam::{OWNER}:role/developer"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with two private wheels and an sdist."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-greeting", "1.0", ["six"], requires_python=">=3.8")
    make_sdist(folder, "acme-greeting", "1.1", build_requires=())
    make_wheel(folder, "acme-alone", "2.0")
    return folder


@pytest.fixture
def sandbox(packages: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox([packages], upstream=False, base=clean_base) as running:
        yield running


@pytest.fixture
def inside(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Put this process into the sandbox."""
    enter(sandbox, monkeypatch)
    return sandbox


@pytest.fixture
def repository(sandbox: Sandbox, http: Http) -> RepositoryClient:
    return RepositoryClient(http, sandbox.endpoint, get_token(sandbox))


def attributes(page: bytes, name: str) -> list[str]:
    """Return the values of an attribute on an HTML page."""
    return [html.unescape(value) for value in re.findall(rf'{name}="([^"]*)"', page.decode())]


@pytest.mark.usefixtures("inside")
def test_a_token_has_the_shape_of_a_real_one() -> None:
    token = client().get_authorization_token(domain="demo", domainOwner=OWNER)["authorizationToken"]
    assert re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){4}", token)
    assert 1200 <= len(token) <= 1500
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert {"ver", "isu", "enc", "tag", "exp", "alg", "iv"} == set(header)
    assert header["exp"] - header["isu"] == 43200


FAR = {"region": "eu-west-1", "endpoint_url": "https://codeartifact.us-east-1.amazonaws.com"}
NO_SIGNATURE = {"config": Config(signature_version=UNSIGNED)}
REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too long": ({}, {"durationSeconds": 43201}, "ValidationException"),
    "another owner": ({}, {"domainOwner": "0" * 12}, "ResourceNotFoundException"),
    "unsigned": (NO_SIGNATURE, {}, "MissingAuthenticationTokenException"),
    "signed for another region": (FAR, {}, "InvalidSignatureException"),
}


@pytest.mark.wide
@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(("settings", "asked", "code"), REFUSALS.values(), ids=REFUSALS)
def test_a_bad_request_for_a_token_gets_the_error_of_aws(
    settings: dict[str, Any], asked: dict[str, Any], code: str
) -> None:
    service = client(**settings)
    assert refused(service.get_authorization_token, **{"domain": "demo", **asked})[0] == code


def test_keys_of_a_role_work_until_they_expire(inside: Sandbox) -> None:
    given = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me", DurationSeconds=1800)
    keys = given["Credentials"]
    assumed = client(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert assumed.get_authorization_token(domain="demo")["authorizationToken"]
    with inside._identities._moto() as (_, sts):
        (role,) = sts[OWNER]["aws"].assumed_roles
        role.expiration -= timedelta(hours=2)
    assert refused(assumed.get_authorization_token, domain="demo")[0] == "ExpiredTokenException"


def test_html_and_json_pages_list_the_same_files_under_every_spelling(
    repository: RepositoryClient,
) -> None:
    page, document = repository.get("acme-greeting/"), repository.page("ACME.greeting")
    files = document["files"]
    assert document["versions"] == ["1.0", "1.1"]
    links = [f"{file['url']}#sha256={file['hashes']['sha256']}" for file in files]
    assert attributes(page.data, "href") == links
    assert attributes(page.data, "data-requires-python") == [files[0]["requires-python"]]
    for file in files:
        data = repository.get(f"Acme_Greeting/{file['url']}").data
        found = (hashlib.sha256(data).hexdigest(), len(data))
        assert found == (file["hashes"]["sha256"], file["size"])
    moved = repository.get("acme-alone")
    assert (moved.status, moved.headers["Location"]) == (301, "/pypi/pypi-store/simple/acme-alone/")


@pytest.fixture
def upstream(
    packages: Path, clean_base: dict[str, str], public: FakePublicIndex
) -> Iterator[RepositoryClient]:
    """Return a client of a repository whose public index is on loopback, with a login."""
    private = public.url.replace("http://", "http://reader:s%40cret@")
    told = Behaviour(yanked=True, ranges=True)
    base = clean_base | {"PIP_INDEX_URL": private}
    with serving(packages, base=base, behaviour=told) as (_, repository):
        yield repository


def test_public_files_come_with_their_facts(
    upstream: RepositoryClient, public: FakePublicIndex, tmp_path: Path
) -> None:
    """A file is fetched once."""
    wheel = make_wheel(tmp_path, "Pub.lic", "1.0")
    public.add("pub-lic", wheel, **{"yanked": "it <broke>", "requires-python": ">=3.10"})
    (file,) = upstream.page("pub-lic")["files"]
    page = upstream.get("pub-lic/").data
    assert [file["yanked"]] == attributes(page, "data-yanked") == ["it <broke>"]
    assert [file["requires-python"]] == attributes(page, "data-requires-python") == [">=3.10"]
    assert file["size"] == len(wheel.read_bytes())
    place = f"pub-lic/{file['url']}"
    for _ in range(2):
        assert upstream.get(place).data == wheel.read_bytes()
    assert upstream.get(place, Range="bytes=0-1").data == b"PK"
    basic = "Basic " + base64.b64encode(b"reader:s@cret").decode()
    assert public.asked == [("/simple/pub-lic/", basic), (f"/files/{wheel.name}", basic)]


def test_an_html_index_and_old_file_names_are_read(
    upstream: RepositoryClient, public: FakePublicIndex
) -> None:
    """An old sdist may have a dash in its version."""
    page = (
        b'<a href="../../f/old-1.0.tar.gz#sha256=abc" data-requires-python="&gt;=3.8" data-yanked="">'
        b'x</a><a href="../../f/old-1.0.win32.exe">x</a><a href="/f/older-1.0.tar.gz">x</a>'
    )
    public.pages["/simple/old/"] = (200, "text/html", page)
    (file,) = upstream.page("old")["files"]
    place = {"filename": "old-1.0.tar.gz", "url": "1.0/old-1.0.tar.gz", "hashes": {"sha256": "abc"}}
    assert file == place | {"yanked": True, "requires-python": ">=3.8"}
    link = b'<a href="/f/olden-py3-0.3.1-1.tar.gz#sha256=abc">x</a>'
    public.pages["/simple/olden-py3/"] = (200, "text/html", link)
    (file,) = upstream.page("olden-py3")["files"]
    assert file["filename"] == "olden-py3-0.3.1-1.tar.gz"


def test_a_failure_of_the_public_index_is_answered_with_502(
    upstream: RepositoryClient, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Wrong bytes are a failure and are not kept; an unknown name is 404."""
    public.pages["/simple/broken/"] = (403, "text/plain", b"")
    public.pages["/simple/nonsense/"] = (200, "application/vnd.pypi.simple.v1+json", b"[]")
    public.add("lost", make_wheel(tmp_path, "lost", "1.0"))
    del public.pages["/files/lost-1.0-py3-none-any.whl"]
    public.add("wrong", make_wheel(tmp_path, "wrong", "1.0"), hashes={"sha256": "0" * 64})
    wrong = "wrong/1.0/wrong-1.0-py3-none-any.whl"
    places = ["broken/", "nonsense/", "lost/1.0/lost-1.0-py3-none-any.whl", wrong, wrong]
    statuses = [upstream.get(place, Range="bytes=0-1").status for place in places]
    assert statuses == [502] * 5
    assert upstream.status("unknown/") == 404


@pytest.mark.parametrize("no_proxy", ["", "localhost"])
def test_other_hosts_are_reached_through_the_machines_own_proxy_and_certificates(
    sandbox: Sandbox,
    public: FakePublicIndex,
    clean_base: dict[str, str],
    tmp_path: Path,
    no_proxy: str,
) -> None:
    """They are reached directly if NO_PROXY says so."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "corporate.pem")
    public.socket = context.wrap_socket(public.socket, server_side=True)
    public.pages["/"] = (200, "text/plain", b"elsewhere")
    base = {name: value for name, value in clean_base.items() if not re.search("CERT|CA", name)}
    base |= {"https_proxy": sandbox.environ()["HTTPS_PROXY"], "no_proxy": no_proxy}
    base |= {"PIP_CERT": str(tmp_path / "corporate.pem")}
    with serving(upstream=False, base=base) as (inner, repository):
        before = len(inner.requests)
        assert repository.http(f"https://localhost:{public.server_port}/").data == b"elsewhere"
        assert repository.status("acme/") == 404
    through = [*inner.requests[before:-1], *sandbox.requests]
    expected = ("CONNECT", "localhost", 200)
    found = [(each.method, each.host, each.status) for each in through]
    assert found == [expected] * (1 if no_proxy else 2)


@pytest.mark.parametrize(
    ("request_line", "status", "says"),
    [
        ("GET http://sts.amazonaws.com/ HTTP/1.1", 403, "supports only https."),
        ("GET http://localhost/ HTTP/1.1", 501, "supports only https."),
        ("CONNECT codeartifact.us-east-1.amazonaws.com:80 HTTP/1.1", 403, "only https on port 443"),
        ("CONNECT host.invalid:443 HTTP/1.1", 502, "cannot connect to"),
        ("CONNECT demo HTTP/1.1", 400, "host and a port"),
    ],
)
def test_the_proxy_explains_what_it_refuses(
    sandbox: Sandbox, request_line: str, status: int, says: str
) -> None:
    port = int(sandbox.environ()["HTTPS_PROXY"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{request_line}\r\n\r\n".encode())
        answer = connection.makefile("r").read()
    assert f" {status} " in answer.splitlines()[0]
    assert says in answer


def test_the_environment_does_not_lead_to_real_aws(
    sandbox: Sandbox, clean_base: dict[str, str]
) -> None:
    files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
    others = ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_CODEARTIFACT", "SSL_CERT_DIR"]
    real = dict.fromkeys([*files, *others, "CODEARTIFACT_AUTH_TOKEN"], "the real one")
    no_proxy = {"NO_PROXY": "corp.example,.amazonaws.com,*.on.aws,aws.com"}
    environ = sandbox.environ(clean_base | real | no_proxy | {"PIPENV_VERBOSITY": "-1"})
    assert "the real one" not in environ.values()
    assert environ.keys() >= {*files}
    assert environ["NO_PROXY"] == environ["no_proxy"] == "127.0.0.1,localhost,corp.example"
    assert environ["PIPENV_VERBOSITY"] == "-1"


def test_closing_leaves_no_folder_thread_or_listener(clean_base: dict[str, str]) -> None:
    """A client may still be connected."""
    threads = threading.active_count()
    with Sandbox(upstream=False, base=clean_base) as sandbox:
        http, folder = Http(sandbox), sandbox.aws_config.parent
        port = int(sandbox.environ()["HTTPS_PROXY"].rpartition(":")[2])
        assert folder.stat().st_mode & 0o777 == 0o700
        assert http(f"{sandbox.endpoint.simple_url}acme/").status == 401
        begin = time.monotonic()
    assert time.monotonic() - begin < 10
    assert not folder.exists()
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    http.close()


def test_a_project_folder_is_built_and_stays_unchanged(
    tmp_path: Path, clean_base: dict[str, str]
) -> None:
    sdist = make_sdist(tmp_path, "acme-project", "3.0", build_requires=())
    projects = tmp_path / "projects"
    shutil.unpack_archive(sdist, projects, filter="data")
    before = sorted(projects.rglob("*"))
    with serving(projects, upstream=False, base=clean_base) as (_, repository):
        files = repository.page("acme-project")["files"]
    names = ["acme_project-3.0-py3-none-any.whl", "acme_project-3.0.tar.gz"]
    assert [file["filename"] for file in files] == names
    assert sorted(projects.rglob("*")) == before


def sandbox_run(env: dict[str, str], cwd: Path, *words: str | Path) -> Result:
    return run(PIPENV_CA, "sandbox", *words, env=env, cwd=cwd)


def test_run_passes_on_stdout_and_status_of_the_command(
    packages: Path, clean_env: dict[str, str], tmp_path: Path
) -> None:
    code = "import os, sys; print(os.environ['PIPENV_CA_SANDBOX_URL']); sys.exit(7)"
    options = ("--packages", packages, "--domain", "mine", "--no-upstream")
    done = sandbox_run(clean_env, tmp_path, "run", *options, "--", sys.executable, "-c", code)
    url = endpoint_for(Domain("mine", OWNER, "us-east-1"), "pypi-store").simple_url
    assert done == Result(7, f"{url}\n", "")


def test_run_starts_with_the_faults_that_options_name(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    words = ("--fault", "deny codeartifact:ListDomains", "--fault", "throttle 1 --retry-after 7")
    code = (
        "import botocore.session as b; from botocore.config import Config\n"
        "c = b.Session().create_client('codeartifact', 'us-east-1',"
        " config=Config(retries={'total_max_attempts': 1}))\n"
        "for _ in range(2):\n"
        "    try: c.list_domains()\n"
        "    except Exception as error:\n"
        "        headers = error.response['ResponseMetadata']['HTTPHeaders']\n"
        "        print(error.response['Error']['Code'], headers.get('retry-after'))\n"
    )
    command = ("run", "--no-upstream", *words, "--", sys.executable, "-c", code)
    done = sandbox_run(clean_env, tmp_path, *command)
    assert done.stdout == "ThrottlingException 7\nAccessDeniedException None\n", done.output


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["run", "--", "/no/such/command"], 127, "Command /no/such/command was not found."),
        (["run", "--", os.devnull], 126, "cannot be run"),
        (["run"], 2, "needs a command"),
        (["run", "--owner", "x", "--", "true"], 2, "cannot be a CodeArtifact repository"),
        (["run", "--public", "/no/folder", "--", "true"], 2, "/no/folder is not a folder."),
        (["run", "--fault", "flood", "--", "true"], 2, "Unknown fault 'flood'."),
        (["run", "--fault", "delay long", "--", "true"], 2, "Invalid fault: "),
    ],
)
def test_run_explains_each_failure_of_its_own(
    clean_env: dict[str, str], tmp_path: Path, words: list[str], status: int, says: str
) -> None:
    done = sandbox_run(clean_env, tmp_path, *words)
    error, hint = done.stderr.splitlines()
    assert (done.status, done.stdout) == (status, "")
    assert error.startswith("error: ")
    assert says in error
    assert hint.startswith("hint: ")


# Counts interrupts for a moment, in which a second one would come.
COUNTING = (
    "import signal, sys, time; got = []\n"
    "for n in (signal.SIGTERM, signal.SIGINT): signal.signal(n, lambda n, f: got.append(n))\n"
    "open(sys.argv[1], 'w').close()\n"
    "while not got: time.sleep(0.01)\n"
    "time.sleep(0.3); sys.exit(100 + sum(got))"
)


@pytest.mark.parametrize("way", ["SIGTERM", "ctrl-c"])
def test_a_signal_reaches_the_command_of_run_once(
    clean_env: dict[str, str], tmp_path: Path, way: str
) -> None:
    """Nothing is left behind."""
    mark = tmp_path / "ready"
    command = ("run", "--no-upstream", "--", sys.executable, "-c", COUNTING, mark)
    words = (PIPENV_CA, "sandbox", *command)
    if way == "ctrl-c":
        with Terminal(*words, env=clean_env, cwd=tmp_path) as terminal:
            wait_for(mark.exists)
            terminal.type(b"\x03")
            assert terminal.finish() == 100 + signal.SIGINT
    else:
        with started(*words, env=clean_env, cwd=tmp_path) as running:
            wait_for(mark.exists)
            running.terminate()
            assert running.wait(30) == 100 + signal.SIGTERM
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.wide
def test_the_demonstration_installs_a_private_package(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    """Nothing is left behind."""
    done = sandbox_run(clean_env, tmp_path, "demo")
    assert done.status == 0, done.output
    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    assert ["acme-greeting", "1.0", "codeartifact"] in rows
    assert "this came from a private repository" in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
