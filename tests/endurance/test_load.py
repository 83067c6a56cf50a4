"""Load: hundreds of processes at once, a service that throttles, thousands of look-ups in a row."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.runs import GET_TOKEN, KEYRING, Calls, assert_error

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from support.users import User

    Size = Callable[[int, int], int]
    Figure = Callable[[str, str], None]

pytestmark = pytest.mark.endurance

_FLEET = Path(__file__).parent.parent / "support" / "fleet.py"
# AWS's own quota of token calls: a second, for an account in a region (CodeArtifact user guide).
QUOTA = 40
# Seconds until AWS answers, so that all processes wait for one answer; botocore waits longer.
_SLOW = 4.0
# All pauses of botocore's standard mode take 66 seconds at most, and the calls some seconds.
BOUND = 66 + 14


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str
    seconds: float


@pytest.fixture
def user(user: User) -> Iterator[User]:
    """Return a user with a cache at home; the sandbox has no fault left after the test."""
    del user.env["PIPENV_CA_CACHE_DIR"]
    yield user
    user.sandbox.heal()
    user.sandbox.allow("codeartifact:GetAuthorizationToken")


def slowest(ended: Iterable[Ended]) -> str:
    seconds = [one.seconds for one in ended]
    return f"half within {median(seconds):.1f} s, the slowest {max(seconds):.1f} s"


def on_one_home(user: User, count: int) -> tuple[list[Ended], int]:
    """Request a token by many processes at once, half of them keyring; return the AWS calls too."""
    user.sandbox.delay(_SLOW, on="api", name=GET_TOKEN)
    programs = ((PIPENV_CA, "token", user.url), (KEYRING, "get", user.url, "aws"))
    calls = Calls(user.sandbox)

    def follow(number: int) -> Ended:
        started = time.monotonic()
        done = run(*programs[number % 2], env=user.env, cwd=user.folder)
        return Ended(*done, time.monotonic() - started)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(follow, range(count))), calls.count()


def test_cold_processes_on_one_home_share_one_call(user: User, size: Size, figure: Figure) -> None:
    ended, calls = on_one_home(user, size(24, 200))
    ((status, token, silence),) = {one[:3] for one in ended}
    assert (status, bool(token.strip()), silence, calls) == (0, True, "", 1)
    figure(f"{len(ended)} cold processes on one home", f"{calls} AWS call; {slowest(ended)}")


def test_refused_processes_on_one_home_share_a_few_calls(
    user: User, size: Size, figure: Figure
) -> None:
    user.sandbox.deny("codeartifact:GetAuthorizationToken")
    ended, calls = on_one_home(user, size(24, 200))
    for one in ended[::2]:
        assert_error(
            Result(*one[:3]), 1, "AWS denies a token for", "codeartifact:GetAuthorizationToken"
        )
    # The keyring commands have one parent, and so are one client: it is told once.
    assert {(one.status, one.stdout) for one in ended[1::2]} == {(1, "")}
    assert any("codeartifact-pipenv: AWS denies" in one.stderr for one in ended[1::2])
    # A call serves all processes that waited when it began; the next one the later processes.
    assert calls <= 2 + max(one.seconds for one in ended) / _SLOW / 2
    figure(f"{len(ended)} refused processes on one home", f"{calls} AWS calls; {slowest(ended)}")


@pytest.mark.shows_token("files", "output")
def test_many_machines_get_a_token_from_a_throttling_aws(
    user: User, size: Size, figure: Figure
) -> None:
    count = size(60, 300)
    rate = QUOTA * count // 300
    user.sandbox.limit_rate(rate, name=GET_TOKEN)
    calls = Calls(user.sandbox)
    (user.folder / "fleet").mkdir()
    words = (sys.executable, _FLEET, user.url, str(count), user.folder / "fleet")
    done = run(*words, env=user.env, cwd=user.folder, timeout=2 * BOUND)
    assert (done.status, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert [one["error"] for one in seen if "error" in one] == []
    assert len({one["token"] for one in seen}) == count
    waited = [one["seconds"] for one in seen]
    assert max(waited) < BOUND
    throttled = calls.count() - count
    assert throttled > count / 2  # otherwise this test checks nothing
    figure(
        f"{count} machines at {rate} token calls a second",
        f"all have a token; {throttled} calls throttled; half within {median(waited):.1f} s, "
        f"the slowest {max(waited):.1f} s",
    )


_LOOK_UPS = """
import gc, json, os, subprocess, sys, time
import keyring
*services, folder, count = sys.argv[1:]
answers = {service: set() for service in services}

def state():
    gc.collect()
    memory = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True)
    return int(memory.stdout), len(os.listdir("/dev/fd")), sorted(os.listdir(folder))

def look_up(count):
    for service in services:
        for _ in range(count):
            found = keyring.get_credential(service, None)
            answers[service].add(getattr(found, "password", None))

look_up(100)
before, began = state(), time.perf_counter()
look_up(int(count))
seconds = time.perf_counter() - began
print(json.dumps([before, state(), list(map(list, answers.values())), seconds]))
"""


@pytest.mark.shows_token("files", "output")
def test_many_look_ups_take_no_more_memory_or_files(user: User, size: Size, figure: Figure) -> None:
    count = size(3_300, 33_000)
    missing = user.sandbox.endpoint.domain._replace(name="not-there")
    services = user.url, "https://index.example.com/", endpoint_for(missing, "team").simple_url
    folder = user.env["HOME"] + "/.cache/codeartifact-pipenv"
    words = (sys.executable, "-c", _LOOK_UPS, *services, folder, str(count))
    ended = run(*words, env=user.env, cwd=user.folder)
    assert ended.status == 0, ended.output
    before, after, ([token], nothing, refusal), seconds = json.loads(ended.stdout)
    assert isinstance(token, str)
    assert nothing == refusal == [None]
    assert after[0] - before[0] < 4_000, "kilobytes"
    assert after[1:] == before[1:]
    figure(
        f"{3 * count} look-ups of one process",
        f"{3 * count / seconds:.0f} a second; memory {after[0] - before[0]:+} kB of {after[0]}",
    )
