"""Faults, each for five commands, and what the user sees of it.

A cell of the table is ``works``, where nothing is said; ``[cause]``, where one error and one hint
say so; a text in the one line of the keyring backend; or ``fails``, where pip or pipenv says what
is wrong. The command ``loopback`` is a lock through the proxy index, ``pip`` a pip with keyring.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import time
import venv
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from support.faults import (
    COMMANDS,
    PROXY_PASSWORD,
    TOOLS,
    Machine,
    in_ipv6_alone,
    publish_packages,
    relay,
    run_command,
)
from support.runs import GET_TOKEN, TOKEN_VARIABLE, Calls, rewrite_token, wait_for
from support.sandbox import FakePublicIndex
from support.servers import served

from codeartifact_pipenv.proxy_index.index import random_loopback_host
from codeartifact_pipenv.sandbox.proxy import reach
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[[Machine], object]

pytestmark = pytest.mark.endurance

WORKS, FAILS = "works", "fails"
DEPENDS = "works or fails"  # on pip's version
API = {"token": WORKS, "keyring": WORKS}
PACKAGES = {"sync": WORKS, "loopback": WORKS, "pip": WORKS}
PIP_DEPENDS = {"sync": DEPENDS, "loopback": WORKS, "pip": DEPENDS}
EVERYWHERE = API | PACKAGES


class Fault(NamedTuple):
    """A fault: its cause, what each command shows of it, and the commands of the short form."""

    make: Make
    seen: dict[str, str]
    short: tuple[str, ...]


FAULTS: dict[str, Fault] = {}


def fault(name: str, make: Make, seen: dict[str, str], short: str = "") -> None:
    FAULTS[name] = Fault(make, seen, tuple(short.split()))


def api(kind: str, value: float, times: int | None = None) -> Make:
    return lambda machine: getattr(machine.sandbox, kind)(
        value, on="api", name=GET_TOKEN, times=times
    )


def after_a_token(make: Make) -> Make:
    def both(machine: Machine) -> None:
        machine.token()
        make(machine)

    return both


def packages(kind: str, value: float, on: str, times: int | None = None) -> Make:
    """Return a fault in a repository's answers, for a user who has a token."""
    return after_a_token(lambda machine: getattr(machine.sandbox, kind)(value, on=on, times=times))


def told(cause: str, words: str) -> dict[str, str]:
    return {"token": f"[{cause}]", "keyring": words}


def told_everywhere(cause: str, words: str) -> dict[str, str]:
    return told(cause, words) | {"sync": f"[{cause}]", "loopback": f"[{cause}]", "pip": words}


def pip_fails(loopback: str, sync: str | None = None) -> dict[str, str]:
    return {"sync": loopback if sync is None else sync, "loopback": loopback, "pip": FAILS}


# --- AWS's API ---------------------------------------------------------------------------


def throttled(times: int) -> Make:
    return lambda machine: machine.sandbox.throttle(times, retry_after=0)


THROTTLED = told_everywhere("throttled", "AWS is throttling token requests")
fault("calls throttled, once", throttled(1), EVERYWHERE, "token keyring")
fault("calls throttled, always", throttled(10**6), THROTTLED)
fault("API: 500, once", api("fault", 500, 1), API, "keyring")
fault("API: 503, always", api("fault", 503), told_everywhere("service-fault", "with 503"))
HEADS_AND_BODIES = (
    ("reset before the head", "reset_head", 0),  # urllib3 takes it for the proxy
    ("reset in the status line", "reset_head", 10),
    ("reset in the head", "reset_head", 50),  # http.client takes it for a whole head
    ("reset in the body", "reset", 50),
    ("truncated body", "truncate", 50),
)
DAMAGED = told("service-fault", "incomplete or damaged")
for shown, kind, at in HEADS_AND_BODIES:
    fault(f"API: {shown}, once", api(kind, at, 1), API, "token" if at else "")
    seen = told("unreachable" if at else "proxy-down", "cannot be reached")
    seen = seen if at < 50 else DAMAGED
    fault(f"API: {shown}, always", api(kind, at), seen, "keyring" if at else "")
fault("API: garbled, once", api("corrupt", 0, 1), API)
fault("API: garbled, always", api("corrupt", 0), DAMAGED, "token")
fault("API: late, once", api("delay", 11, 1), API)
fault("API: late, always", api("delay", 90), told_everywhere("unreachable", "is slow"))


def without_proxy(machine: Machine) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        del machine.env[name]


def no_names(machine: Machine) -> None:
    # A resolver without an answer; and no proxy, which would look names up itself.
    machine.in_namespace(
        'mount --bind "$1" /etc/resolv.conf', machine.write("resolv.conf", _NOBODY)
    )
    without_proxy(machine)


_NOBODY = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


def names_come_late(machine: Machine) -> None:
    # As on a laptop that wakes: names have no answer for 3 seconds.
    hosts = machine.write("hosts", "127.0.0.1 localhost\n")
    mounts = 'mount --bind "$1" /etc/hosts; mount --bind "$2" /etc/resolv.conf'
    machine.in_namespace(mounts, hosts, machine.write("resolv.conf", _NOBODY))
    if os.geteuid() != 0:
        pytest.skip("port 443 needs root")
    lines = ["127.0.0.1 localhost\n"]
    endpoint = machine.sandbox.endpoint
    for name in (endpoint.host, f"codeartifact.{endpoint.domain.region}.amazonaws.com"):
        address = random_loopback_host()
        listener = socket.create_server((address, 443))
        relay(listener, functools.partial(reach, machine.env["HTTPS_PROXY"], name, 443))
        lines.append(f"{address} {name}\n")
    without_proxy(machine)

    def write() -> None:
        time.sleep(3)
        hosts.write_text("".join(lines))

    machine.start(write)


def trusts_nobody(*names: str) -> Make:
    def make(machine: Machine) -> None:
        path = machine.write("other-ca.pem", "")
        trustme.CA().cert_pem.write_to_path(str(path))
        machine.env.update(dict.fromkeys(names, str(path)))

    return make


TLS = told_everywhere("tls-untrusted", "is not trusted here")
fault("API: no DNS", no_names, told("unreachable", "cannot be reached"), "token keyring")
fault("API: names come late", names_come_late, API, "token")
fault("API: TLS not trusted", trusts_nobody("AWS_CA_BUNDLE"), TLS, "token keyring")


# --- the package endpoint ----------------------------------------------------------------

for place, short in (("pages", ""), ("files", "sync")):
    # Only the proxy index sees the status of files.
    by_pages = place == "pages"
    by_loopback = "loopback" if by_pages else ""
    fault(f"{place}: 429, once", packages("fault", 429, place, 1), PIP_DEPENDS, by_loopback)
    fault(f"{place}: 503, once", packages("fault", 503, place, 1), PACKAGES, short)
    for status, cause in ((429, "[throttled]"), (503, "[service-fault]")):
        seen = pip_fails(cause, cause if by_pages else FAILS)
        fault(f"{place}: {status}, always", packages("fault", status, place), seen)
    for shown, kind, at in HEADS_AND_BODIES:
        once = packages(kind, at, place, 1)
        seen = PACKAGES if at < 50 else PIP_DEPENDS
        fault(f"{place}: {shown}, once", once, seen, "loopback" if at else "")
        heard = ("[unreachable]" if at else "[proxy-down]") if by_pages else "[service-fault]"
        # Newer pips name the proxy, too, in words like ours.
        seen = pip_fails(heard, heard if by_pages else FAILS) if at else {"loopback": heard}
        fault(f"{place}: {shown}, always", packages(kind, at, place), seen)


def late(times: int | None) -> Make:
    """Return the fault that pages come later than pip waits for them."""

    def make(machine: Machine) -> None:
        packages("delay", 5 if times else 90, "pages", times)(machine)
        machine.env["PIP_DEFAULT_TIMEOUT"] = "3"

    return make


CLIENTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")
UNTRUSTED = after_a_token(trusts_nobody(*CLIENTS))
fault("pages: later than pip waits, once", late(1), PACKAGES)
fault("pages: later than pip waits, always", late(None), pip_fails("[unreachable]"))
fault("packages: no DNS", after_a_token(no_names), pip_fails("[unreachable]"), "loopback")
fault("packages: names come late", after_a_token(names_come_late), PACKAGES, "sync loopback")
fault("packages: TLS not trusted", UNTRUSTED, pip_fails("[tls-untrusted]"), "loopback")


# --- the token in the middle of a run ----------------------------------------------------


def expires(machine: Machine) -> None:
    machine.sandbox.token_life = 8
    machine.token()
    machine.sandbox.delay(9, times=1, on="files", name=TOOLS)


def ends_soon(machine: Machine) -> None:
    machine.sandbox.token_life = 50
    machine.token()
    machine.sandbox.token_life = None


def handed_over(make: Make) -> Make:
    def both(machine: Machine) -> None:
        make(machine)
        machine.env[TOKEN_VARIABLE] = json.loads(machine.kept().read_bytes())["token"]

    return both


def is_revoked(machine: Machine) -> None:
    machine.token()
    machine.sandbox.revoke_tokens()


def is_revoked_later(machine: Machine) -> None:
    machine.token()
    asked = Calls(machine.sandbox)
    machine.sandbox.delay(1, on="files")

    def revoke() -> None:
        wait_for(lambda: asked.count(TOOLS) > 0, 60)
        machine.sandbox.revoke_tokens()

    machine.start(revoke)


def is_revoked_and_refreshed(machine: Machine) -> None:
    is_revoked(machine)
    machine.env["PIPENV_CA_REFRESH"] = "1"


NEW_TOKEN = dict.fromkeys(("token", "sync", "loopback", "keyring"), "a new token is used")
EXPIRED = {"sync": "[token-expired]", "loopback": WORKS, "pip": WORKS}
REVOKED = {"sync": "[token-revoked]", "loopback": WORKS, "pip": FAILS}
BOTH_REVOKED = {"sync": "[token-revoked]", "loopback": "[token-revoked]"}
fault("token expires in the middle", expires, EXPIRED, "loopback pip")
fault("token handed over, ends in a moment", handed_over(ends_soon), NEW_TOKEN)
fault("token revoked in the middle", is_revoked_later, REVOKED, "loopback")
fault("token revoked before", is_revoked, REVOKED, "sync")
fault("token handed over, revoked before", handed_over(is_revoked), BOTH_REVOKED)
fault("token revoked, and refreshed", is_revoked_and_refreshed, EVERYWHERE, "keyring")


# --- the machine -------------------------------------------------------------------------


def shift_clock(seconds: float) -> Make:
    """Return the fault that the clock has jumped since a token was cached."""

    def make(machine: Machine) -> None:
        machine.token()
        rewrite_token(machine.kept(), -seconds)
        machine.sandbox.revoke_tokens()

    return make


def aws_clock(seconds: float) -> Make:
    return lambda machine: setattr(machine.sandbox, "clock_offset", seconds)


CLOCK = told_everywhere("clock-wrong", "The clock of this machine is wrong")
fault("cache, clock put forward a day", shift_clock(86400), EVERYWHERE)
fault("cache, clock put back a day", shift_clock(-86400), EVERYWHERE, "token keyring")
for offset in (240, -240):
    fault(f"AWS's clock {offset:+} s", aws_clock(offset), EVERYWHERE)
for offset, short in ((3600, "keyring"), (-3600, "token")):
    fault(f"AWS's clock {offset:+} s", aws_clock(offset), CLOCK, short)
for offset, short in ((3600, "loopback"), (-3600, "sync")):
    make = handed_over(after_a_token(aws_clock(offset)))
    fault(f"AWS's clock {offset:+} s, token handed over", make, EVERYWHERE, short)


# --- the way there -----------------------------------------------------------------------


def proxy_is(address: str) -> Make:
    """Return what puts a proxy before everything; ``{}`` is the address of the sandbox's."""

    def make(machine: Machine) -> None:
        place = machine.env["HTTPS_PROXY"].partition("://")[2]
        machine.env |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address.format(place))

    return make


def proxy_never_answers(machine: Machine) -> None:
    listener = machine.end.enter_context(socket.create_server(("127.0.0.1", 0)))
    proxy_is(f"http://127.0.0.1:{listener.getsockname()[1]}")(machine)


def only_ipv6(machine: Machine) -> None:
    machine.in_namespace('mount --bind "$1" /etc/hosts', machine.write("hosts", "::1 localhost\n"))
    proxy = int(machine.env["HTTPS_PROXY"].rpartition(":")[2])
    place = machine.folder.parent / "way out"
    place.unlink(missing_ok=True)
    machine.prefix += in_ipv6_alone(place, [proxy, machine.public.server_port])
    proxy_is(f"http://[::1]:{proxy}")(machine)


LOGIN = f"me:{PROXY_PASSWORD}"
GONE = proxy_is(f"http://{LOGIN}@127.0.0.1:9")
NO_PROXY = told_everywhere("proxy-down", "The proxy for AWS CodeArtifact cannot be reached")
SILENT = told_everywhere("unreachable", "does not answer within 5 seconds")
fault("proxy with a login", proxy_is(f"http://{LOGIN}@{{}}"), EVERYWHERE, "token loopback")
fault("proxy with a login, gone", GONE, NO_PROXY, "token keyring")
fault("packages: proxy gone", after_a_token(GONE), pip_fails("[proxy-down]"), "sync")
fault("proxy that never answers", proxy_never_answers, SILENT, "token")
fault("IPv6 alone", only_ipv6, EVERYWHERE, "token sync loopback")


# --- the machine itself ------------------------------------------------------------------


def run_by(*words: str) -> Make:
    return lambda machine: setattr(machine, "prefix", words)


def home_is(script: str) -> Make:
    return lambda machine: machine.in_namespace(script, machine.home)


def temporary_is(script: str) -> Make:
    return lambda machine: machine.in_namespace(script, machine.temporary)


def home_variable(name: str) -> Make:
    return lambda machine: machine.env.update(HOME=name and str(machine.write(name, "")))


FEW_FILES = run_by("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
SMALL = 'mount -t tmpfs -o size=64k tmpfs "$1"'
READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"'
FULL = 'mount -t tmpfs -o size=16k tmpfs "$1"; dd if=/dev/zero of="$1/filler" bs=1k 2> /dev/null || true'
NO_ROOM = API | {"sync": "cannot be written", "loopback": "cannot be written", "pip": DEPENDS}
FILLED = {"sync": FAILS, "loopback": "Packages could not be written to "}
fault("64 open files", FEW_FILES, EVERYWHERE, "sync loopback")
fault("read-only HOME", home_is(READ_ONLY), EVERYWHERE, "keyring loopback")
fault("full disk, HOME", home_is(FULL), EVERYWHERE, "token sync")
fault("full disk, temporary files", temporary_is(FULL), NO_ROOM, "loopback")
fault("disk that fills, HOME", home_is(SMALL), EVERYWHERE, "loopback")
fault("disk that fills, temporary files", temporary_is(SMALL), FILLED, "sync loopback")
fault("HOME empty", home_variable(""), EVERYWHERE, "token keyring")
fault("HOME a file", home_variable("a-file"), EVERYWHERE, "loopback")


# --- the tests ---------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        rows = FAULTS.items()
        cells = [(name, each) for name, row in rows for each in (row.seen if long else row.short)]
        metafunc.parametrize("cell", cells, ids=["-".join(cell) for cell in cells])


@pytest.fixture(scope="module")
def aws(
    clean_base: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Sandbox, FakePublicIndex]]:
    """A CodeArtifact that does not reach the public index, and an empty public index."""
    with (
        Sandbox(domain="my-dom", repository="team", upstream=False, base=clean_base) as sandbox,
        served(FakePublicIndex()) as public,
    ):
        publish_packages(sandbox, tmp_path_factory.mktemp("packages"))
        yield sandbox, public


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one user, whose virtual environment all tests share."""
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder / "my project" / ".venv", with_pip=True)
    return folder


@pytest.fixture
def machine(
    aws: tuple[Sandbox, FakePublicIndex], clean_base: dict[str, str], user: Path
) -> Iterator[Machine]:
    sandbox, public = aws
    made = Machine(sandbox, public, clean_base, user)
    with made.end:
        yield made
    sandbox.heal()
    sandbox.clock_offset, sandbox.token_life = 0, None


def test_a_fault_is_not_noticed_or_told_with_its_cause(
    cell: tuple[str, str], machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    name, command = cell
    COMMANDS[command].prepare(machine)
    FAULTS[name].make(machine)
    record_property("fault", (command, name))
    seen = run_command(machine, command)
    expected = FAULTS[name].seen[command]
    if expected == DEPENDS:
        assert seen.words in {WORKS, FAILS}, seen.done.output
    elif expected in {WORKS, FAILS} or expected.startswith("["):
        assert seen.words == expected, seen.done.output
    else:
        assert expected in seen.words, seen.done.output
        assert seen.words.count("codeartifact-pipenv: ") == (not COMMANDS[command].is_ours)
    assert seen.seconds < 90
