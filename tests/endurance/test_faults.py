"""Faults, each at every door where it can be met, and what the user sees of it.

A row is a fault, a column a door: the wrapper's token (``token``), its sync of files as they
are written (``sync``), its lock through the index on loopback (``loopback``), keyring's command
(``keyring``) and a pip that asks keyring (``pip``). A cell is ``works``, where nobody notices;
``[cause]``, where that is told in one error and one hint; a text that the one line of the
keyring backend holds; or ``fails``, where pip or pipenv says itself what is wrong, and we have
nothing to add. Whatever comes of it, no token is shown or left behind, no traceback is ours,
and the project's files are as before or right.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme
from support.faults import DOORS, PROXY_PASSWORD, TOOLS, World, publish_packages, try_door
from support.networks import in_ipv6_alone, relay
from support.programs import Result
from support.runs import GET_TOKEN, TOKEN_VARIABLE, Calls, started, wait_for
from support.sandbox import FakePublicIndex

from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.proxy_index.address import random_loopback_host
from codeartifact_pipenv.sandbox.proxy import reach
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.endurance

WORKS, FAILS = "works", "fails"
# What one hiccup is to pip depends on its version; there is nothing that we could add.
AS_PIP_HAS_IT = "works or fails"
API = {"token": WORKS, "keyring": WORKS}
PACKAGES = {"sync": WORKS, "loopback": WORKS, "pip": WORKS}
EVERYWHERE = API | PACKAGES


class Fault(NamedTuple):
    """A fault.

    Attributes:
        make: brings it about.
        seen: by door, what the user sees.
        short: the doors that the short form tries.
        seconds: how long a command may take with it.
    """

    make: Callable[[World], object]
    seen: dict[str, str]
    short: tuple[str, ...]
    seconds: float


FAULTS: dict[str, Fault] = {}


def fault(
    name: str,
    make: Callable[[World], object],
    seen: dict[str, str],
    *,
    short: str = "",
    seconds: float = 90,
) -> None:
    """Write a row of the table."""
    FAULTS[name] = Fault(make, seen, tuple(short.split()), seconds)


def api(kind: str, value: float, times: int | None = None) -> Callable[[World], None]:
    """Return what spoils AWS's answers to the question for a token."""
    where: dict[str, Any] = {"on": "api", "name": "GetAuthorizationToken", "times": times}
    return lambda world: getattr(world.sandbox, kind)(value, **where)


def packages(kind: str, value: float, on: str, times: int | None = None) -> Callable[[World], None]:
    """Return what spoils a repository's answers, for a user who has a token."""

    def make(world: World) -> None:
        world.token()
        getattr(world.sandbox, kind)(value, on=on, times=times)

    return make


def told(cause: str, words: str, *, everywhere: bool = False) -> dict[str, str]:
    """Return what is seen of a cause for which there is no token."""
    seen = {"token": cause, "keyring": words}
    return seen | ({"sync": cause, "loopback": cause, "pip": words} if everywhere else {})


# --- AWS's API ---------------------------------------------------------------------------

fault(
    "calls throttled, once",
    lambda world: world.sandbox.throttle(1, retry_after=0),
    EVERYWHERE,
    short="token keyring",
)
fault(
    "calls throttled, always",
    lambda world: world.sandbox.throttle(10**6, retry_after=0),
    told("[throttled]", "AWS limits how many tokens", everywhere=True),
)
fault("API: 500, once", api("fault", 500, 1), API, short="keyring")
fault("API: 503, always", api("fault", 503), told("[service-fault]", "with 503", everywhere=True))
HEADS_AND_BODIES = (
    ("reset before the head", "reset_head", 0),
    ("reset in the status line", "reset_head", 10),
    # (After the status line: http.client takes such a head for a whole one.)
    ("reset in the head", "reset_head", 50),
    ("reset in the body", "reset", 50),
    ("truncated body", "truncate", 50),
)
for shown, kind, at in HEADS_AND_BODIES:
    fault(f"API: {shown}, once", api(kind, at, 1), API, short="token" if at else "")
    fault(
        f"API: {shown}, always",
        api(kind, at),
        # (Who hangs up without a word is the proxy for urllib3.)
        told("[unreachable]" if at else "[proxy-down]", "is not reached")
        if at < 50
        else told("[service-fault]", "broken off or garbled"),
        short="keyring" if at else "",
    )
fault("API: garbled, once", api("corrupt", 0, 1), API)
fault("API: garbled, always", api("corrupt", 0), told("[service-fault]", "garbled"), short="token")
fault("API: late, once", api("delay", 11, 1), API)
fault(
    "API: late, always",
    api("delay", 90),
    told("[unreachable]", "is slow", everywhere=True),
    seconds=65,
)


def no_names(world: World) -> None:
    # A resolver that nobody answers at, in place of the machine's; and no proxy, which would
    # look names up itself.
    world.in_namespace('mount --bind "$1" /etc/resolv.conf', world.write("resolv.conf", _NOBODY))
    for name in ("HTTPS_PROXY", "https_proxy"):
        del world.env[name]


_NOBODY = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


def names_come_late(world: World) -> None:
    # As on a laptop that wakes: 3 seconds long there is no answer for any name.
    hosts = world.write("hosts", "127.0.0.1 localhost\n")
    resolver = world.write("resolv.conf", _NOBODY)
    world.in_namespace(
        'mount --bind "$1" /etc/hosts; mount --bind "$2" /etc/resolv.conf', hosts, resolver
    )
    if os.geteuid() != 0:
        pytest.skip("port 443 needs root")
    proxy = world.env["HTTPS_PROXY"]
    lines = []
    endpoint = world.sandbox.endpoint
    for name in (endpoint.host, f"codeartifact.{endpoint.domain.region}.amazonaws.com"):
        address = random_loopback_host()
        listener = socket.create_server((address, 443))
        relay(listener, functools.partial(reach, proxy, name, 443))
        lines.append(f"{address} {name}\n")
    for variable in ("HTTPS_PROXY", "https_proxy"):
        del world.env[variable]

    def write() -> None:
        time.sleep(3)
        hosts.write_text("127.0.0.1 localhost\n" + "".join(lines))

    world.start(write)


def trusts_nobody(*names: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        path = world.write("other-ca.pem", "")
        trustme.CA().cert_pem.write_to_path(str(path))
        world.env.update(dict.fromkeys(names, str(path)))

    return make


fault("API: no DNS", no_names, told("[unreachable]", "is not reached"), short="token keyring")
fault("API: names come late", names_come_late, API, short="token")
fault(
    "API: TLS not trusted",
    trusts_nobody("AWS_CA_BUNDLE"),
    told("[tls-untrusted]", "is not trusted here", everywhere=True),
    short="token keyring",
)


# --- the package endpoint ----------------------------------------------------------------


def pip_says(sync: str, loopback: str) -> dict[str, str]:
    return {"sync": sync, "loopback": loopback, "pip": FAILS}


for place in ("pages", "files"):
    # (What is wrong with files alone is seen by who stands between pip and them.)
    by_pages = place == "pages"
    fault(
        f"{place}: 429, once",
        packages("fault", 429, place, 1),
        PACKAGES | {"sync": AS_PIP_HAS_IT, "pip": AS_PIP_HAS_IT},
        short="loopback" if by_pages else "",
    )
    fault(
        f"{place}: 429, always",
        packages("fault", 429, place),
        pip_says("[throttled]" if by_pages else FAILS, "[throttled]"),
    )
    fault(
        f"{place}: 503, once",
        packages("fault", 503, place, 1),
        PACKAGES,
        short="" if by_pages else "sync",
    )
    fault(
        f"{place}: 503, always",
        packages("fault", 503, place),
        pip_says("[service-fault]" if by_pages else FAILS, "[service-fault]"),
    )
    for shown, kind, at in HEADS_AND_BODIES:
        heard = "[unreachable]" if at else "[proxy-down]"
        heard = heard if by_pages else "[service-fault]"
        always = pip_says(heard if by_pages else FAILS, heard)
        fault(
            f"{place}: {shown}, once",
            packages(kind, at, place, 1),
            PACKAGES if at < 50 else PACKAGES | {"sync": AS_PIP_HAS_IT, "pip": AS_PIP_HAS_IT},
            short="loopback" if at else "",
        )
        fault(
            f"{place}: {shown}, always",
            packages(kind, at, place),
            # (Newer pips call that the proxy's fault, too, in words like ours.)
            always if at else {"loopback": heard},
        )


def late(times: int | None) -> Callable[[World], None]:
    """Return what makes pages come later than pip waits for them."""

    def make(world: World) -> None:
        packages("delay", 5 if times else 90, "pages", times)(world)
        world.env["PIP_DEFAULT_TIMEOUT"] = "3"

    return make


fault("pages: later than pip waits, once", late(1), PACKAGES)
fault("pages: later than pip waits, always", late(None), pip_says("[unreachable]", "[unreachable]"))


def after_a_token(make: Callable[[World], object]) -> Callable[[World], None]:
    def both(world: World) -> None:
        world.token()
        make(world)

    return both


CLIENTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")
fault(
    "packages: no DNS",
    after_a_token(no_names),
    pip_says("[unreachable]", "[unreachable]"),
    short="loopback",
)
fault("packages: names come late", after_a_token(names_come_late), PACKAGES, short="sync loopback")
fault(
    "packages: TLS not trusted",
    after_a_token(trusts_nobody(*CLIENTS)),
    pip_says("[tls-untrusted]", "[tls-untrusted]"),
    short="loopback",
)


# --- the token in the middle of a run ----------------------------------------------------


def expires(world: World) -> None:
    world.sandbox.token_life = 8
    world.token()
    world.sandbox.delay(9, times=1, on="files", name=TOOLS)


def ends_soon(world: World) -> None:
    world.sandbox.token_life = 50
    world.token()
    world.sandbox.token_life = None


def handed_over(make: Callable[[World], object]) -> Callable[[World], None]:
    def both(world: World) -> None:
        make(world)
        world.env[TOKEN_VARIABLE] = json.loads(world.kept().read_bytes())["token"]

    return both


def is_revoked(world: World) -> None:
    world.token()
    world.sandbox.revoke_tokens()


def is_revoked_later(world: World) -> None:
    world.token()
    asked = Calls(world.sandbox)
    world.sandbox.delay(1, on="files")

    def revoke() -> None:
        wait_for(lambda: asked.count(TOOLS) > 0, 60)
        world.sandbox.revoke_tokens()

    world.start(revoke)


def is_revoked_and_refreshed(world: World) -> None:
    is_revoked(world)
    world.env["PIPENV_CA_REFRESH"] = "1"


RENEWED = {"sync": "[token-expired]", "loopback": WORKS}
fault("token expires in the middle", expires, RENEWED | {"pip": WORKS}, short="loopback pip")
fault(
    "token handed over, ends in a moment",
    handed_over(ends_soon),
    dict.fromkeys(("token", "sync", "loopback", "keyring"), "a new token is used"),
)
fault(
    "token revoked in the middle",
    is_revoked_later,
    {"sync": "[token-revoked]", "loopback": WORKS, "pip": FAILS},
    short="loopback",
)
fault(
    "token revoked before",
    is_revoked,
    {"sync": "[token-revoked]", "loopback": WORKS, "pip": FAILS},
    short="sync",
)
fault(
    "token handed over, revoked before",
    handed_over(is_revoked),
    {"sync": "[token-revoked]", "loopback": "[token-revoked]"},
)
fault("token revoked, and refreshed", is_revoked_and_refreshed, EVERYWHERE, short="keyring")


# --- the machine -------------------------------------------------------------------------


def is_of_a_newer_version(world: World) -> None:
    world.token()
    document = json.loads(world.kept().read_bytes())
    world.kept().write_text(json.dumps({**document, "version": document["version"] + 1}))
    world.sandbox.revoke_tokens()  # so that it shows if it is used


def shift_clock(seconds: float) -> Callable[[World], None]:
    """Return what leaves a token in the cache as if the clock had jumped since."""

    def make(world: World) -> None:
        world.token()
        path = world.kept()
        document = json.loads(path.read_bytes())
        del document["check"]
        for name in ("issued_at", "expires_at"):
            document[name] -= seconds
        TokenCache(str(path.parent)).write(path.stem, document)
        world.sandbox.revoke_tokens()

    return make


def aws_clock(seconds: float) -> Callable[[World], None]:
    return lambda world: world.clock(seconds)


fault("cache of a newer version", is_of_a_newer_version, EVERYWHERE, short="token")
fault("cache, clock put forward a day", shift_clock(86400), EVERYWHERE)
fault("cache, clock put back a day", shift_clock(-86400), EVERYWHERE, short="token keyring")
for offset in (240, -240):
    fault(f"AWS's clock {offset:+} s", aws_clock(offset), EVERYWHERE)
for offset in (3600, -3600, 86400, -86400):
    fault(
        f"AWS's clock {offset:+} s",
        aws_clock(offset),
        told("[clock-wrong]", "The clock of this machine is wrong", everywhere=True),
        short={3600: "keyring", -3600: "token"}.get(offset, ""),
    )

for offset in (3600, -3600):
    fault(
        f"AWS's clock {offset:+} s, token handed over",
        handed_over(after_a_token(aws_clock(offset))),
        EVERYWHERE,
        short="loopback" if offset > 0 else "sync",
    )


# --- the way there -----------------------------------------------------------------------


def proxy_is(address: str) -> Callable[[World], None]:
    """Return what puts a proxy before everything; ``{}`` is where the sandbox's is."""

    def make(world: World) -> None:
        place = world.env["HTTPS_PROXY"].partition("://")[2]
        world.env |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address.format(place))

    return make


def proxy_never_answers(world: World) -> None:
    world.listener = socket.create_server(("127.0.0.1", 0))
    proxy_is(f"http://127.0.0.1:{world.listener.getsockname()[1]}")(world)


def settings_in_pip_conf(world: World) -> None:
    names = {"cert": "PIP_CERT", "proxy": "HTTPS_PROXY"}
    lines = [f"{key} = {world.env[name]}" for key, name in names.items()]
    world.env["PIP_CONFIG_FILE"] = str(world.write("pip.conf", "\n".join(["[global]", *lines])))
    for name in (*CLIENTS, "HTTPS_PROXY", "https_proxy"):
        del world.env[name]


def only_ipv6(world: World) -> None:
    world.in_namespace('mount --bind "$1" /etc/hosts', world.write("hosts", "::1 localhost\n"))
    proxy = int(world.env["HTTPS_PROXY"].rpartition(":")[2])
    place = world.folder.parent / "way out"
    place.unlink(missing_ok=True)
    world.prefix += in_ipv6_alone(place, [proxy, world.public.server_port])
    proxy_is(f"http://[::1]:{proxy}")(world)


LOGIN = f"me:{PROXY_PASSWORD}"
fault("proxy with a login", proxy_is(f"http://{LOGIN}@{{}}"), EVERYWHERE, short="token loopback")
fault(
    "proxy with a login, not there",
    proxy_is(f"http://{LOGIN}@127.0.0.1:9"),
    told("[proxy-down]", "The proxy for AWS CodeArtifact is not reached", everywhere=True),
    short="token keyring",
)
fault(
    "packages: proxy with a login, not there",
    after_a_token(proxy_is(f"http://{LOGIN}@127.0.0.1:9")),
    pip_says("[proxy-down]", "[proxy-down]"),
    short="sync",
)
fault(
    "proxy that never answers",
    proxy_never_answers,
    told("[unreachable]", "does not answer within 5 seconds", everywhere=True),
    short="token",
)
# (pipenv by itself knows neither of these two settings, and its sync is not ours.)
fault(
    "proxy and certificates in pip.conf",
    after_a_token(settings_in_pip_conf),
    {"loopback": WORKS, "pip": WORKS},
    short="loopback",
)
fault("IPv6 alone", only_ipv6, EVERYWHERE, short="token sync loopback")


# --- the machine itself ------------------------------------------------------------------

# What NFS answers without its lock daemon, and for files that went away on the server.
_NFS = """
import errno, fcntl, io, builtins, os
HOME = os.path.join(os.environ["HOME"], "")
def flock(descriptor, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
def stale(function):
    def call(path, *args, **kwargs):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(HOME):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return function(path, *args, **kwargs)
    return call
fcntl.flock = flock
builtins.open, io.open, os.open = stale(io.open), stale(io.open), stale(os.open)
"""


def home_on_bad_nfs(world: World) -> None:
    folder = world.folder.parent / "nfs"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_NFS)
    world.token()
    world.env["PYTHONPATH"] = str(folder)


def run_by(*words: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.prefix = words

    return make


fault("HOME on an NFS that fails", home_on_bad_nfs, EVERYWHERE, short="loopback keyring")
fault("one core", run_by("taskset", "-c", "0"), EVERYWHERE, short="loopback")
fault(
    "64 open files",
    run_by("sh", "-c", 'ulimit -n 64; exec "$@"', "sh"),
    EVERYWHERE,
    short="sync loopback",
)

_SMALL = 'mount -t tmpfs -o size=64k tmpfs "$1"'
_READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"'
_FULL = (
    'mount -t tmpfs -o size=16k tmpfs "$1"; '
    'dd if=/dev/zero of="$1/filler" bs=1k 2> /dev/null || true'
)
fault(
    "read-only HOME",
    lambda world: world.in_namespace(_READ_ONLY, world.home),
    EVERYWHERE,
    short="keyring loopback",
)
fault(
    "full disk, HOME",
    lambda world: world.in_namespace(_FULL, world.home),
    EVERYWHERE,
    short="token sync",
)
fault(
    "full disk, temporary files",
    lambda world: world.in_namespace(_FULL, world.temporary),
    API | {"sync": "cannot be written", "loopback": "cannot be written", "pip": AS_PIP_HAS_IT},
    short="loopback",
)
fault(
    "disk that fills, HOME",
    lambda world: world.in_namespace(_SMALL, world.home),
    EVERYWHERE,
    short="loopback",
)
fault(
    "disk that fills, temporary files",
    lambda world: world.in_namespace(_SMALL, world.temporary),
    {"sync": FAILS, "loopback": "Packages could not be written to "},
    short="sync loopback",
)


def home_is(value: str | None) -> Callable[[World], None]:
    def make(world: World) -> None:
        del world.env["HOME"]
        world.env["XDG_CACHE_HOME"] = str(world.home)  # never the real home's
        if value is not None:
            del world.env["XDG_CACHE_HOME"]
            world.env["HOME"] = value and str(world.write("a-file", ""))

    return make


fault("HOME unset", home_is(None), EVERYWHERE, short="keyring")
fault("HOME empty", home_is(""), EVERYWHERE, short="token")
fault("HOME a file", home_is("a file"), EVERYWHERE, short="loopback")


# --- the tests ---------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every cell; in short form of some."""
    if "cell" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        cells = [
            (name, door)
            for name, known in FAULTS.items()
            for door in (known.seen if long else known.short)
        ]
        metafunc.parametrize("cell", cells, ids=[f"{name}-{door}" for name, door in cells])


@pytest.fixture(scope="module")
def aws(
    clean_base: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Sandbox, FakePublicIndex]]:
    """A CodeArtifact without anything public behind it, and a public index without anything."""
    with (
        Sandbox(domain="my-dom", repository="team", upstream=False, base=clean_base) as sandbox,
        FakePublicIndex() as public,
    ):
        publish_packages(sandbox, tmp_path_factory.mktemp("packages"))
        threading.Thread(target=public.serve_forever, args=(0.05,), daemon=True).start()
        yield sandbox, public
        public.shutdown()


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one user, whose virtual environment all tests share."""
    return tmp_path_factory.mktemp("user")


@pytest.fixture
def world(
    aws: tuple[Sandbox, FakePublicIndex], clean_base: dict[str, str], user: Path
) -> Iterator[World]:
    sandbox, public = aws
    made = World(sandbox, public, clean_base, user)
    made.reset()
    yield made
    made.finish()
    sandbox.heal()
    sandbox.clock_offset, sandbox.token_life = 0, None


def test_fault(
    cell: tuple[str, str], world: World, record_property: Callable[[str, object], None]
) -> None:
    """A fault at a door is not noticed, or told as what it is, in time."""
    name, door = cell
    known = FAULTS[name]
    DOORS[door].prepare(world)
    known.make(world)
    record_property("fault", (door, name))
    seen = try_door(world, DOORS[door])
    expected = known.seen[door]
    if expected == AS_PIP_HAS_IT:
        assert seen.words in {WORKS, FAILS}, seen.done.output
    elif expected in {WORKS, FAILS} or expected.startswith("["):
        assert seen.words == expected, seen.done.output
    else:
        assert expected in seen.words, seen.done.output
        assert seen.words.count("codeartifact-pipenv: ") == (not DOORS[door].is_ours)
    assert seen.seconds < known.seconds


@pytest.mark.parametrize("door", ["loopback"])
def test_lock_that_outlives_its_tokens(
    door: str, world: World, size: Callable[[int, int], int], figure: Callable[[str, str], None]
) -> None:
    """A lock that lasts longer than several tokens succeeds, and its user reads nothing of it."""
    DOORS[door].prepare(world)
    delay = size(2, 5)
    world.sandbox.token_life = delay + 1
    world.sandbox.delay(delay)
    calls = Calls(world.sandbox)
    seen = try_door(world, DOORS[door])
    assert seen.words == WORKS, seen.done.output
    assert calls.count(GET_TOKEN) >= 2
    figure(
        f"a lock on tokens that live {delay + 1} seconds",
        f"{seen.seconds:.0f} s, {calls.count(GET_TOKEN)} tokens, nothing said",
    )


@pytest.mark.parametrize("door", ["loopback"])
def test_suspended(door: str, world: World) -> None:
    """A lock that sleeps until its token has ended goes on when it wakes."""
    DOORS[door].prepare(world)
    world.sandbox.token_life = 4
    world.sandbox.delay(1)
    calls = Calls(world.sandbox)
    words = DOORS[door].words(world)
    with started(*words, env=world.env, cwd=world.folder) as process:
        wait_for(lambda: calls.count(TOOLS) > 0)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.killpg(process.pid, signal.SIGCONT)
        printed, said = process.communicate(timeout=120)
    done = Result(process.returncode, printed, said)
    assert done.status == 0, done.output
    DOORS[door].check(world, done)
    assert calls.count(GET_TOKEN) >= 2
    assert "error: " not in done.output
