"""Load: hundreds of processes at once, a service that throttles, thousands of look-ups in a row."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import GET_TOKEN, KEYRING, Calls, assert_error, get_token, started

from codeartifact_pipenv.auth.authorization_token import TokenCache
from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

    Size = Callable[[int, int], int]
    Figure = Callable[[str, str], None]
    Command = tuple[tuple[str, ...], Mapping[str, str], Path]

pytestmark = pytest.mark.endurance

_FLEET = Path(__file__).parent.parent / "support" / "fleet.py"
# AWS's own quota of token calls: a second, for an account in a region (CodeArtifact user guide).
QUOTA = 40
# Seconds until AWS answers, so that all processes wait for one answer; botocore waits longer.
_SLOW = 4.0
# All pauses of botocore's standard mode take 66 seconds at most, and the calls some seconds.
BOUND = 66 + 14


class Ended(NamedTuple):
    result: Result
    seconds: float


@pytest.fixture
def calm(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return the sandbox, which has no fault left after the test."""
    yield sandbox
    sandbox.heal()
    sandbox.allow("codeartifact:GetAuthorizationToken")


def at_once(commands: Iterable[Command]) -> list[Ended]:
    """Run programs (words, environment, folder) at the same time."""

    def follow(command: Command) -> Ended:
        words, env, cwd = command
        started = time.monotonic()
        return Ended(run(*words, env=env, cwd=cwd), time.monotonic() - started)

    wanted = list(commands)
    with ThreadPoolExecutor(len(wanted)) as threads:
        return list(threads.map(follow, wanted))


def slowest(ended: Iterable[Ended]) -> str:
    seconds = [one.seconds for one in ended]
    return f"half within {median(seconds):.1f} s, the slowest {max(seconds):.1f} s"


def on_one_home(
    sandbox: Sandbox, env: Mapping[str, str], cwd: Path, count: int
) -> tuple[list[Ended], int]:
    """Request a token by many processes at once, half of them keyring; return the AWS calls too."""
    sandbox.delay(_SLOW, on="api", name=GET_TOKEN)
    service = sandbox.endpoint.simple_url
    programs = ((PIPENV_CA, "token", service), (KEYRING, "get", service, "aws"))
    calls = Calls(sandbox)
    return at_once((programs[n % 2], env, cwd) for n in range(count)), calls.count()


def test_cold_processes_on_one_home_share_one_call(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    ended, calls = on_one_home(calm, sandbox_env, tmp_path, size(24, 200))
    ((status, token, silence),) = {one.result for one in ended}
    assert (status, silence, calls) == (0, "", 1)
    assert token.strip()
    figure(f"{len(ended)} cold processes on one home", f"{calls} AWS call; {slowest(ended)}")


def test_refused_processes_on_one_home_share_a_few_calls(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    calm.deny("codeartifact:GetAuthorizationToken")
    ended, calls = on_one_home(calm, sandbox_env, tmp_path, size(24, 200))
    for one in ended[::2]:
        assert_error(one.result, 1, "AWS denies a token for", "codeartifact:GetAuthorizationToken")
    # The keyring commands have one parent, and so are one client: it is told once.
    assert {(one.result.status, one.result.stdout) for one in ended[1::2]} == {(1, "")}
    assert any("codeartifact-pipenv: AWS denies" in one.result.stderr for one in ended[1::2])
    # A call serves all processes that waited when it began; the next one the later processes.
    assert calls <= 2 + max(one.seconds for one in ended) / _SLOW / 2
    figure(f"{len(ended)} refused processes on one home", f"{calls} AWS calls; {slowest(ended)}")


@pytest.mark.shows_token("files", "output")
def test_many_machines_get_a_token_from_a_throttling_aws(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    count = size(60, 300)
    whole, rate = count // 15, QUOTA * count // 300
    calm.limit_rate(rate, name=GET_TOKEN)
    before = len(calm.requests)
    (tmp_path / "fleet").mkdir()
    words = (sys.executable, _FLEET, calm.endpoint.simple_url, str(count - whole))
    with started(*words, tmp_path / "fleet", env=sandbox_env, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        ended = at_once(whole_machines(calm, sandbox_env, tmp_path, whole))
        opened, said = process.communicate(timeout=2 * BOUND)
    assert said == ""
    seen = [json.loads(path.read_text()) for path in (tmp_path / "fleet").glob("*/seen.json")]
    assert [one["error"] for one in seen if "error" in one] == []
    assert [one.result.status for one in ended] == [0] * whole
    tokens = {one["token"] for one in seen} | {one.result.stdout.strip() for one in ended}
    assert len(tokens) == count
    waited = [one["ended"] - float(opened) for one in seen] + [one.seconds for one in ended]
    assert max(waited) < BOUND
    statuses = [record.status for record in calm.requests[before:] if record.name == GET_TOKEN]
    assert statuses.count(200) == count
    assert statuses.count(429) > count / 2  # otherwise this test checks nothing
    spread = spread_of([one["sent"] for one in seen], float(opened))
    figure(
        f"{count} machines at {rate} token calls a second",
        f"all have a token; {statuses.count(429)} calls throttled, at most {spread.tries} of one; "
        f"half within {median(waited):.1f} s, the slowest {max(waited):.1f} s; third pause "
        f"{spread.low:.1f} to {spread.high:.1f} s in the middle half",
    )
    # By chance between 0 and 4 seconds, so that the middle half takes 2; in lock-step, none.
    assert spread.high - spread.low > 0.8
    # The first pause is up to a second: about a tenth of the machines in each tenth of it.
    assert spread.most <= count / 3


def whole_machines(
    sandbox: Sandbox, env: dict[str, str], folder: Path, count: int
) -> Iterator[Command]:
    """Yield our command, each with another home."""
    for number in range(count):
        home = folder / f"machine {number}"
        home.mkdir()
        yield (PIPENV_CA, "token", sandbox.endpoint.simple_url), env | {"HOME": str(home)}, home


class Spread(NamedTuple):
    """The middle half of the third pause, the fullest tenth of a second, the most tries."""

    low: float
    high: float
    most: int
    tries: int


def spread_of(sent: list[list[float]], opened: float) -> Spread:
    """Compare the times at which each machine sent its tries with the burst (all in seconds)."""
    third = [times[3] - times[2] for times in sent if len(times) > 3]
    low, _, high = quantiles(third, n=4)
    tenths = Counter(int((at - opened) * 10) for times in sent for at in times[1:])
    return Spread(low, high, max(tenths.values()), max(map(len, sent)))


def projects_in(folder: Path, sandbox: Sandbox, count: int) -> list[Path]:
    """Write projects that need orb-common."""
    projects = [folder / f"project {number}" for number in range(count)]
    for project in projects:
        project.mkdir()
        write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-common = "*"\n')
    return projects


# Writes down the token that it was given, if any.
_PIPENV = (
    '#!/bin/sh\n[ -z "$CODEARTIFACT_AUTH_TOKEN" ] || echo "$CODEARTIFACT_AUTH_TOKEN" > given\n'
)


@pytest.mark.shows_token("files")
@pytest.mark.parametrize("state", ["cold", "ending"])
def test_projects_that_start_at_once_make_one_call(
    state: str,
    calm: Sandbox,
    sandbox_env: dict[str, str],
    tmp_path: Path,
    size: Size,
    figure: Figure,
) -> None:
    pipenv = tmp_path / "pipenv"
    pipenv.write_text(_PIPENV)
    pipenv.chmod(0o755)
    env = sandbox_env | {"PIPENV_CA_PIPENV": str(pipenv), "PIPENV_CA_ROUTE": "as-written"}
    old = None
    if state == "ending":
        old = get_token(calm, env, tmp_path)
        (path,) = Path(env["PIPENV_CA_CACHE_DIR"]).glob("*.json")
        document = json.loads(path.read_bytes())
        del document["check"]
        for name in ("issued_at", "expires_at"):
            document[name] -= 11.9 * 3600  # of 12 hours
        TokenCache(str(path.parent)).write(path.stem, document)
    projects = projects_in(tmp_path, calm, size(24, 64))
    calls = Calls(calm)
    ended = at_once(
        ((PIPENV_CA, ("lock", "sync")[n % 2]), env, project) for n, project in enumerate(projects)
    )
    assert [one.result.output for one in ended if one.result.status] == []
    assert calls.count() == 1
    (token,) = {(project / "given").read_text() for project in projects}
    assert token.strip() != old
    for project in projects:
        assert {path.name for path in project.iterdir()} == {"Pipfile", "given"}
    figure(f"{len(projects)} projects at once, token {state}", f"1 AWS call; {slowest(ended)}")


_LOOK_UPS = """
import gc, json, os, subprocess, sys, time
import keyring
*services, folder, count = sys.argv[1:]
answers = {service: set() for service in services}
spent = dict.fromkeys(services, 0.0)

def state():
    gc.collect()
    memory = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True)
    return int(memory.stdout), len(os.listdir("/dev/fd")), sorted(os.listdir(folder))

def look_up(count):
    for service in services:
        began = time.perf_counter()
        for _ in range(count):
            found = keyring.get_credential(service, None)
            answers[service].add(getattr(found, "password", None))
        spent[service] += time.perf_counter() - began

look_up(100)
before = state()
spent = dict.fromkeys(services, 0.0)
done = 0
while done < int(count):
    look_up(10)
    done += 10 * len(services)
print(json.dumps([done, before, state(), list(map(list, answers.values())), list(spent.values())]))
"""


@pytest.mark.shows_token("files", "output")
def test_many_look_ups_take_no_more_memory_or_files(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    count = size(10_000, 100_000)
    refused = endpoint_for(calm.endpoint.domain._replace(name="not-there"), "team").simple_url
    services = calm.endpoint.simple_url, "https://index.example.com/simple/", refused
    words = (sys.executable, "-c", _LOOK_UPS, *services, sandbox_env["PIPENV_CA_CACHE_DIR"])
    ended = run(*words, str(count), env=sandbox_env, cwd=tmp_path)
    assert ended.status == 0, ended.output
    done, before, after, ([token], nothing, refusal), spent = json.loads(ended.stdout)
    assert isinstance(token, str)
    assert nothing == refusal == [None]
    assert done >= count
    assert after[0] - before[0] < 4_000, "kilobytes"
    assert after[1:] == before[1:]
    rates = "{:.0f} kept, {:.0f} foreign, {:.0f} refused".format(*(done / 3 / s for s in spent))
    figure(
        f"{done} look-ups of one process",
        f"a second: {rates}; memory {after[0] - before[0]:+} kB of {after[0]}",
    )
