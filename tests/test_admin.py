"""Telling a sandbox what to do from outside its process: the command line, and HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from support import PIPENV_CA, files_with, run
from support_runs import wait_for
from support_sandbox import Http, ask, get_token
from test_serve import serving

from codeartifact_pipenv.sandbox import controls
from codeartifact_pipenv.sandbox.admin import VARIABLE, Admin
from codeartifact_pipenv.sandbox.controls import CONTROLS
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import Result

JSON_BODY = {"Content-Type": "application/json"}
CALL = "/v1/repository?domain=demo&repository=pypi-store"


@pytest.fixture
def sandbox(clean_base: dict[str, str], tmp_path: Path) -> Iterator[Sandbox]:
    make_wheel(tmp_path / "packages", "acme-alone", "2.0")
    with Sandbox([tmp_path / "packages"], upstream=False, base=clean_base) as running:
        yield running


@pytest.fixture
def admin(sandbox: Sandbox) -> Iterator[Admin]:
    with Admin(sandbox) as door:
        yield door


def knock(
    admin: Admin,
    method: str,
    what: str,
    body: bytes | None = None,
    *,
    path: str | None = None,
    **changed: str,
) -> tuple[int, Any]:
    """Ask the door; return status and document. Headers named in ``changed`` are replaced."""
    where = urlsplit(admin.url)
    connection = http.client.HTTPConnection("127.0.0.1", where.port or 0, timeout=10)
    headers = JSON_BODY | {name.replace("_", "-"): value for name, value in changed.items()}
    connection.request(method, f"{where.path if path is None else path}{what}", body, headers)
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    return answer.status, document


def tell(admin: Admin, **document: Any) -> tuple[int, Any]:
    return knock(admin, "POST", "faults", json.dumps(document).encode())


# --- by HTTP -----------------------------------------------------------------------------


def test_faults_by_http(sandbox: Sandbox, admin: Admin) -> None:
    """A program in any language sets faults and undoes them with a document of JSON."""
    assert tell(admin, fault="throttle", calls=1, retry_after=7) == (200, {})
    answer = ask(sandbox, "GET", CALL)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert ask(sandbox, "GET", CALL).status == 200
    assert tell(admin, fault="status", status=503, on="api", name="DescribeRepository")[0] == 200
    assert ask(sandbox, "GET", CALL).status == 503
    assert tell(admin, fault="heal")[0] == 200
    assert ask(sandbox, "GET", CALL).status == 200


def test_every_control_can_be_told(sandbox: Sandbox) -> None:
    """Each control reaches a method or a property of the sandbox, with all of its parameters."""
    values = {
        "count": "500",
        "seconds": "0",
        "offset": "-5",
        "text": "acme-alone",
        "action": "codeartifact:ReadFromRepository",
    }
    for name, control in CONTROLS.items():
        words = [name]
        for one in control.parameters:
            value = one.choices[-1] if one.choices else values[one.kind]
            words += [value] if one.required else [one.option, value]
        known, arguments = controls.read_words(words)
        assert set(arguments) == {one.name for one in control.parameters}
        controls.apply(sandbox, known, arguments)
    assert sandbox.clock_offset == -5
    assert sandbox.token_life == 0
    assert sandbox.maximum_duration == 500


def test_requests_are_told_without_a_token(sandbox: Sandbox, admin: Admin) -> None:
    """The log names each request and who sent which token, by its id alone."""
    token, speaking = get_token(sandbox), Http(sandbox)
    speaking(f"{sandbox.endpoint.simple_url}acme-alone/", token)
    speaking.close()
    status, document = knock(admin, "GET", "requests")
    call, page = document["requests"]
    assert (status, call["name"], call["status"]) == (200, "GetAuthorizationToken", 200)
    assert (page["name"], page["sent"]) == ("acme-alone", sandbox.token_id(token))
    assert token not in json.dumps(document)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"fault": "nothing"}, "no fault 'nothing'"),
        ({"fault": 3}, "No fault is named"),
        ({}, "No fault is named"),
        ({"fault": "delay"}, "needs seconds"),
        ({"fault": "delay", "seconds": "1"}, "seconds of delay cannot be '1'"),
        ({"fault": "delay", "seconds": -1}, "cannot be -1"),
        ({"fault": "delay", "seconds": None}, "cannot be None"),
        ({"fault": "delay", "seconds": float("nan")}, "cannot be nan"),
        ({"fault": "delay", "seconds": 1, "on": "nowhere"}, "cannot be 'nowhere'"),
        ({"fault": "delay", "seconds": 1, "times": 0}, "0 times"),
        ({"fault": "delay", "seconds": 1, "self": 1}, "has no 'self'"),
        ({"fault": "throttle", "calls": True}, "cannot be True"),
        ({"fault": "throttle", "calls": 1.5}, "cannot be 1.5"),
        ({"fault": "throttle", "calls": [1]}, "cannot be [1]"),
        ({"fault": "status", "status": 200}, "can be no 200"),
        ({"fault": "deny", "action": "read"}, "cannot be 'read'"),
        ({"fault": "clock-offset", "seconds": 1e300}, "cannot be 1e+300"),
        ({"fault": "set-origin", "name": "x", "publish": "MAYBE"}, "cannot be 'MAYBE'"),
        ({"fault": "set-origin", "name": "../../x"}, "can be named '../../x'"),
        ({"fault": "set-origin", "name": "x\x1b[31m"}, "name of set-origin cannot be"),
        ({"fault": "__init__"}, "no fault"),
    ],
)
def test_what_is_no_fault_is_said(
    sandbox: Sandbox, admin: Admin, document: dict[str, Any], says: str
) -> None:
    """A fault that cannot be is refused in a sentence with its hint, and changes nothing."""
    status, answer = tell(admin, **document)
    assert (status, bool(answer["hint"])) == (400, True)
    assert says in answer["error"]
    assert ask(sandbox, "GET", CALL).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 60000])
def test_malformed_json_is_said(admin: Admin, body: bytes) -> None:
    """What is no JSON object is refused, and the door stays open."""
    status, answer = knock(admin, "POST", "faults", body)
    assert (status, answer["error"]) == (400, "The body is no JSON object.")
    assert tell(admin, fault="heal")[0] == 200


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"path": "/"}, 404),
        ({"path": "/wrong/"}, 404),
        ({"path": "/%C3%A4/"}, 404),
        ({"Content_Length": "99999999"}, 413),
        ({"Content_Length": "-1"}, 413),
        ({"Content_Length": "x"}, 413),
    ],
)
def test_a_browser_cannot_drive_it(
    sandbox: Sandbox, admin: Admin, changed: dict[str, Any], status: int
) -> None:
    """Without the secret, the right host and JSON, or with an Origin, nothing is done."""
    body = b'{"fault": "throttle", "calls": 9}'
    assert knock(admin, "POST", "faults", body, **changed)[0] == status
    assert ask(sandbox, "GET", CALL).status == 200
    if "Content" not in next(iter(changed)):
        status, answer = knock(admin, "GET", "requests", **changed)
        assert (status >= 400, "requests" in answer) == (True, False)


def test_the_secret_is_long_and_new(sandbox: Sandbox) -> None:
    """Each run has a secret of 256 bits of its own."""
    with Admin(sandbox) as one, Admin(sandbox) as other:
        assert one.secret != other.secret
        assert len(one.secret) * 6 >= 256


# --- from a shell ------------------------------------------------------------------------


@pytest.mark.wide
def test_a_shell_drives_one_that_serves(clean_env: dict[str, str], tmp_path: Path) -> None:
    """Faults and the request log reach a sandbox that serves, found as env finds it."""

    def at(verb: str, *words: str) -> Result:
        place = ("--at", str(tmp_path / "at"))
        return run(PIPENV_CA, "sandbox", verb, *place, *words, env=clean_env, cwd=tmp_path)

    def token() -> Result:
        script = f'. "{tmp_path}/serve.sh"; "$0" --ca-no-cache token "$PIPENV_CA_SANDBOX_URL"'
        return run("sh", "-c", script, PIPENV_CA, env=clean_env, cwd=tmp_path)

    with serving(clean_env, tmp_path):
        address = tmp_path / "at" / "admin-address"
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        secret = urlsplit(address.read_text()).path.strip("/")
        done = at("fault", "deny", "codeartifact:GetAuthorizationToken")
        assert (done.status, done.output) == (0, "")
        assert "[token-denied]" in token().stderr
        assert at("fault", "allow", "codeartifact:GetAuthorizationToken").status == 0
        made = token().stdout.strip()
        assert made.startswith("eyJ")
        shown = at("requests")
        assert [line.split()[:4] for line in shown.stdout.splitlines()] == [
            ["1", "GetAuthorizationToken", "POST", "403"],
            ["1", "GetAuthorizationToken", "POST", "200"],
        ]
        assert json.loads(at("requests", "--json").stdout)[1]["status"] == 200
        done = at("fault", "throttle", "many")
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.startswith("error: The calls of throttle cannot be 'many'.\nhint: ")
        assert files_with(secret, [tmp_path]) == [address]
    done = at("fault", "heal")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("error: No sandbox serves in ")


@pytest.mark.wide
def test_nothing_of_the_door_stays(clean_env: dict[str, str], tmp_path: Path) -> None:
    """After a signal the address is gone; after a kill it does not pass for a sandbox."""
    words = (PIPENV_CA, "sandbox", "requests", "--at", tmp_path / "at")
    for number in (signal.SIGKILL, signal.SIGTERM):
        with serving(clean_env, tmp_path) as (server, _):
            assert run(*words, env=clean_env, cwd=tmp_path).status == 0
            server.send_signal(number)
            server.wait(10)
        assert run(*words, env=clean_env, cwd=tmp_path).status == 1
    assert os.listdir(tmp_path / "at") == ["serving.lock"]


INSIDE = """
import json, os, subprocess, sys, urllib.request
program, url = sys.argv[1], os.environ["PIPENV_CA_SANDBOX_URL"]
def fault(*words):
    subprocess.run([program, "sandbox", "fault", "--at", "/nonexistent", *words], check=True)
def token():
    words = [program, "--ca-no-cache", "token", url]
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).returncode
statuses = [token()]
fault("heal")
statuses.append(token())
request = urllib.request.Request(
    os.environ["CODEARTIFACT_SANDBOX_ADMIN"] + "faults",
    json.dumps({"fault": "status", "status": 500, "on": "api"}).encode(),
    {"Content-Type": "application/json"},
)
urllib.request.urlopen(request)
statuses.append(token())
print(statuses)
"""


@pytest.mark.wide
def test_a_command_drives_the_sandbox_around_it(clean_env: dict[str, str], tmp_path: Path) -> None:
    """Inside run the variable leads to the sandbox around, by the verb and by HTTP; --fault begins."""
    words = ["--fault", "status 500 --on api", "--", sys.executable, "-c", INSIDE, PIPENV_CA]
    outer = clean_env | {VARIABLE: "http://127.0.0.1:1/another/"}
    done = run(PIPENV_CA, "sandbox", "run", "--no-upstream", *words, env=outer, cwd=tmp_path)
    assert (done.status, done.stdout) == (0, "[1, 0, 1]\n"), done.output


def test_a_variable_of_another_sandbox(clean_env: dict[str, str], tmp_path: Path) -> None:
    """An address that is none, or where nobody answers, is said without its secret."""
    for address, says in (
        ("http://127.0.0.1:1/secret/", "No sandbox answers at port 1."),
        ("http://127.0.0.1:99999/secret/", "No sandbox answers at port 99999."),
        ("https://evil.example/secret/", f"The variable {VARIABLE} holds no address"),
    ):
        env = clean_env | {VARIABLE: address}
        done = run(PIPENV_CA, "sandbox", "fault", "heal", env=env, cwd=tmp_path)
        assert done.status in {1, 2}
        assert done.stderr.startswith(f"error: {says}")
        assert "secret" not in done.output


def test_another_address_than_the_sandbox_has(
    sandbox: Sandbox, admin: Admin, clean_env: dict[str, str], tmp_path: Path
) -> None:
    """A secret of an earlier run is refused with what to do."""
    del sandbox
    env = clean_env | {VARIABLE: f"http://127.0.0.1:{admin.server_port}/old/"}
    done = run(PIPENV_CA, "sandbox", "fault", "heal", env=env, cwd=tmp_path)
    assert (done.status, "take its environment" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("verb", "words", "says"),
    [
        ("run", ["--behaviour", "redirect=200"], "The behaviour redirect cannot be 200."),
        ("serve", ["--behaviour", "roots=404"], "There is no behaviour roots."),
        ("serve", ["--fault", "throttle"], "This is no fault: the following arguments are"),
        ("run", ["--fault", "throttle 'x"], "cannot be read: No closing quotation."),
        ("run", ["--fault", ""], "No fault is named."),
    ],
)
def test_a_wrong_beginning(
    clean_env: dict[str, str], tmp_path: Path, verb: str, words: list[str], says: str
) -> None:
    """A behaviour or a fault that cannot be ends in usage, before anything is started or kept."""
    kept = tmp_path / "kept"
    words = ["--state", str(kept), *words, *(["--", "true"] if verb == "run" else [])]
    done = run(PIPENV_CA, "sandbox", verb, *words, env=clean_env, cwd=tmp_path)
    assert (done.status, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: ")
    assert not kept.exists()


def test_nested_serving_forgets_the_outer_door(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A shell that takes the environment of serve does not keep the address of another sandbox."""
    env = clean_env | {VARIABLE: "http://127.0.0.1:1/outer/"}
    with serving(env, tmp_path) as (_, output):
        wait_for(lambda: f"unset {VARIABLE}" in output.read_text())


# --- what goes wrong with packages -------------------------------------------------------


def test_a_package_that_fails_leaves_nothing(clean_base: dict[str, str], tmp_path: Path) -> None:
    """A broken, misnamed or repeated file leaves no copy of itself, and what was there stays."""
    kept, made = tmp_path / "kept", tmp_path / "made"
    wheel = make_wheel(made, "acme-alone", "2.0")
    broken = tmp_path / "broken" / wheel.name
    broken.parent.mkdir()
    broken.write_bytes(b"PK\3\4 nothing")
    renamed = wheel.with_name("other-2.0-py3-none-any.whl")
    renamed.write_bytes(wheel.read_bytes())
    for _ in range(2):
        with Sandbox([wheel], upstream=False, state=kept, base=clean_base) as sandbox:
            for wrong in (broken, renamed, made / "missing-1.0-py3-none-any.whl"):
                with pytest.raises(SandboxError):
                    sandbox.publish(wrong)
            assert sandbox.is_published("acme-alone")
    (copy,) = (kept / "published").rglob("*.*")
    assert copy.read_bytes() == wheel.read_bytes()
    assert len(os.listdir(kept / "published")) == 1
