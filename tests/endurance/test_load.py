"""Load: hundreds of processes at once, a service that throttles, thousands of look-ups in a row."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.files import files_with
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
# Seconds that AWS takes for an answer where many wait for one; within botocore's time-out, also
# on a machine that is busy with starting them.
_SLOW = 4.0
# What all pauses of botocore's standard mode take together at most, and some seconds for the
# calls themselves.
BOUND = 66 + 14


class Ended(NamedTuple):
    """What one of many programs did, and how long it took."""

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


def on_one_home(env: Mapping[str, str], service: str, cwd: Path, count: int) -> list[Ended]:
    """Let as many processes want a token at once, by our own command and as clients do."""
    doors = ((PIPENV_CA, "token", service), (KEYRING, "get", service, "aws"))
    return at_once((doors[number % 2], env, cwd) for number in range(count))


# --- one home -----------------------------------------------------------------------------


def test_one_home(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    """200 processes that start cold at once on one home make one call, and all have its token."""
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    count = size(24, 200)
    # AWS takes its time: others are there, and wait, before it answers.
    calm.delay(_SLOW, on="api", name=GET_TOKEN)
    calls = Calls(calm)
    ended = on_one_home(sandbox_env, calm.endpoint.simple_url, tmp_path, count)
    said = {(one.result.status, one.result.stdout.strip(), one.result.stderr) for one in ended}
    assert len(said) == 1, said
    ((status, token, silence),) = said
    assert (status, silence) == (0, "")
    assert calls.count() == 1
    assert token
    figure(f"{count} cold processes on one home", f"{calls.count()} AWS call; {slowest(ended)}")


def test_one_home_refused(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    """200 that are refused share a few answers, and each says why: no queue of calls, no herd."""
    count = size(24, 200)
    calm.deny("codeartifact:GetAuthorizationToken")
    calm.delay(_SLOW, on="api", name=GET_TOKEN)
    calls = Calls(calm)
    ended = on_one_home(sandbox_env, calm.endpoint.simple_url, tmp_path, count)
    for one in ended[::2]:
        assert_error(one.result, 1, "AWS denies a token for", "codeartifact:GetAuthorizationToken")
    # (The keyring commands have one parent, and so are one client: not each of them is told.)
    assert {(one.result.status, one.result.stdout) for one in ended[1::2]} == {(1, "")}
    told = [line for one in ended[1::2] for line in one.result.stderr.splitlines()]
    assert any(line.startswith("codeartifact-pipenv: AWS denies") for line in told), told
    # A call holds for all who waited when it began: there are as many as follow one another
    # until the last process has started, not one for each of our own commands.
    assert calls.count() <= 2 + max(one.seconds for one in ended) / _SLOW / 2
    figure(f"{count} refused processes on one home", f"{calls.count()} AWS calls; {slowest(ended)}")


# --- many machines ------------------------------------------------------------------------


@pytest.mark.shows_token("files", "output")
def test_many_machines(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    """300 machines that start at one moment all get a token from an AWS that grants 40 a second."""
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    count = size(60, 300)
    whole, fleet = count // 15, count - count // 15
    calm.limit_rate(QUOTA * count // 300, name=GET_TOKEN)
    before = len(calm.requests)
    words = (sys.executable, _FLEET, calm.endpoint.simple_url, str(fleet), tmp_path / "fleet")
    (tmp_path / "fleet").mkdir()
    with started(*words, env=sandbox_env, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        ended = at_once(whole_machines(calm, sandbox_env, tmp_path, whole))
        opened, said = process.communicate(timeout=2 * BOUND)
    assert said == ""
    seen = [json.loads(path.read_text()) for path in (tmp_path / "fleet").glob("*/seen.json")]
    assert [one["error"] for one in seen if "error" in one] == []
    tokens = [one["token"] for one in seen] + [one.result.stdout.strip() for one in ended]
    assert [one.result.status for one in ended] == [0] * whole
    assert len(set(tokens)) == count
    waited = [one["ended"] - float(opened) for one in seen] + [one.seconds for one in ended]
    assert max(waited) < BOUND
    statuses = [record.status for record in calm.requests[before:] if record.name == GET_TOKEN]
    assert statuses.count(200) == count
    throttled = statuses.count(429)
    # More came at once than is granted, or nothing was tried.
    assert throttled > count / 2
    spread = spread_of([one["sent"] for one in seen], float(opened))
    figure(
        f"{count} machines at {QUOTA * count // 300} token calls a second",
        f"all have a token; {throttled} calls throttled, at most {spread.tries} of one machine; "
        f"half within {median(waited):.1f} s, the slowest {max(waited):.1f} s",
    )
    figure(
        f"{count} machines: how tries are spread",
        f"third pause {spread.low:.1f} to {spread.high:.1f} s in the middle half; "
        f"after the burst {spread.most} tries in the fullest tenth of a second",
    )
    # By chance between 0 and 4 seconds, so that the middle half takes 2; in lock-step, none.
    assert spread.high - spread.low > 0.8
    # The first pause is up to a second: a tenth of the machines in each tenth of it, give or take.
    assert spread.most <= count / 3


def whole_machines(
    sandbox: Sandbox, env: dict[str, str], folder: Path, count: int
) -> Iterator[Command]:
    """Yield our command as a person would run it, on machines of their own."""
    for number in range(count):
        home = folder / f"machine {number}"
        home.mkdir()
        yield (PIPENV_CA, "token", sandbox.endpoint.simple_url), env | {"HOME": str(home)}, home


class Spread(NamedTuple):
    """How tries were spread: the middle half of the third pause, the fullest tenth, the most."""

    low: float
    high: float
    most: int
    tries: int


def spread_of(sent: list[list[float]], opened: float) -> Spread:
    """Look at when each machine sent its tries (all in seconds); ``opened`` is the burst."""
    third = [times[3] - times[2] for times in sent if len(times) > 3]
    low, _, high = quantiles(third, n=4)
    tenths = Counter(int((at - opened) * 10) for times in sent for at in times[1:])
    return Spread(low, high, max(tenths.values()), max(map(len, sent)))


# --- many projects ------------------------------------------------------------------------


def test_many_projects(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    """20 projects that are synced at once on one home cost one call, and leave nothing behind."""
    count = size(4, 20)
    first = tmp_path / "project 0"
    first.mkdir()
    write_pipfile(first, source(calm.endpoint), '[packages]\norb-common = "*"\n')
    locked = run(PIPENV_CA, "lock", env=sandbox_env, cwd=first)
    assert locked.status == 0, locked.output
    projects = [tmp_path / f"project {number}" for number in range(count)]
    for project in projects[1:]:
        shutil.copytree(first, project)
    before = (first / "Pipfile").read_bytes(), (first / "Pipfile.lock").read_bytes()
    cold = sandbox_env | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "cold")}
    calls = Calls(calm)
    ended = at_once(((PIPENV_CA, "sync"), cold, project) for project in projects)
    assert [one.result.output for one in ended if one.result.status] == []
    assert calls.count() == 1
    for project in projects:
        assert list(project.glob(".venv/lib/python*/site-packages/orb_common/__init__.py"))
        files = (project / "Pipfile").read_bytes(), (project / "Pipfile.lock").read_bytes()
        assert files == before
    assert list((tmp_path / "tmp").glob("pipenv-ca-*")) == []
    token = run(PIPENV_CA, "token", calm.endpoint.url, env=cold, cwd=tmp_path).stdout.strip()
    assert files_with(token, [tmp_path / "tmp", tmp_path / "home", *projects]) == []
    figure(f"{count} syncs at once on one home", f"{calls.count()} AWS call; {slowest(ended)}")


# Writes down the token that it was given, if any.
_PIPENV = (
    '#!/bin/sh\n[ -z "$CODEARTIFACT_AUTH_TOKEN" ] || echo "$CODEARTIFACT_AUTH_TOKEN" > given\n'
)


@pytest.mark.shows_token("files")
@pytest.mark.parametrize("state", ["cold", "ending"])
def test_64_projects(
    state: str,
    calm: Sandbox,
    sandbox_env: dict[str, str],
    tmp_path: Path,
    size: Size,
    figure: Figure,
) -> None:
    """64 projects that start at once make one call, also where the token at hand is about to end."""
    pipenv = tmp_path / "pipenv"
    pipenv.write_text(_PIPENV)
    pipenv.chmod(0o755)
    projects = [tmp_path / f"project {number}" for number in range(size(24, 64))]
    for project in projects:
        project.mkdir()
        write_pipfile(project, source(calm.endpoint), '[packages]\norb-common = "*"\n')
    before = (projects[0] / "Pipfile").read_bytes()
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
    calls = Calls(calm)
    words = (("lock",), ("sync",))
    ended = at_once(
        ((PIPENV_CA, *words[number % 2]), env, project) for number, project in enumerate(projects)
    )
    assert [one.result.output for one in ended if one.result.status] == []
    assert calls.count() == 1
    (token,) = {(project / "given").read_text() for project in projects}
    assert token.strip() != old
    for project in projects:
        assert {path.name for path in project.iterdir()} == {"Pipfile", "given"}
        assert (project / "Pipfile").read_bytes() == before
    figure(
        f"{len(projects)} projects at once, token {state}",
        f"{calls.count()} AWS call; {slowest(ended)}",
    )


# --- one long life ------------------------------------------------------------------------

_LOOK_UPS = """
import gc, json, os, subprocess, sys, time
import keyring
ours, foreign, refused, folder = sys.argv[1:5]

def look_up(service, count):
    began = time.perf_counter()
    found = {getattr(keyring.get_credential(service, None), "password", None) for _ in range(count)}
    return found, time.perf_counter() - began

def state():
    gc.collect()
    memory = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True)
    files = sorted(os.listdir(folder))
    return int(memory.stdout), len(os.listdir("/dev/fd")), files

def round_of(count):
    for service, (found, seconds) in zip(services, map(look_up, services, [count] * 3)):
        answers[service] |= found
        spent[service] += seconds

services = [ours, foreign, refused]
answers = {service: set() for service in services}
spent = dict.fromkeys(services, 0.0)
round_of(100)
before = state()
spent = dict.fromkeys(services, 0.0)
done = 0
while done < int(sys.argv[5]):
    round_of(10)
    done += 30
seen = [list(answers[service]) for service in services], [spent[service] for service in services]
print(json.dumps([done, before, state(), *seen]))
"""


@pytest.mark.shows_token("files", "output")
def test_many_look_ups(
    calm: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, size: Size, figure: Figure
) -> None:
    """10,000 look-ups in a row of one process let no memory, file or descriptor grow."""
    count = size(10_000, 100_000)
    refused = endpoint_for(calm.endpoint.domain._replace(name="not-there"), "team").simple_url
    services = calm.endpoint.simple_url, "https://index.example.com/simple/", refused
    words = (sys.executable, "-c", _LOOK_UPS, *services, sandbox_env["PIPENV_CA_CACHE_DIR"])
    ended = run(*words, str(count), env=sandbox_env, cwd=tmp_path)
    assert ended.status == 0, ended.output
    done, before, after, answers, spent = json.loads(ended.stdout)
    ([token], nothing, refusal) = answers
    assert isinstance(token, str)
    assert nothing == refusal == [None]
    assert done >= count
    grown = after[0] - before[0]
    assert grown < 4_000, "kilobytes"
    assert after[1:] == before[1:]
    rates = [done / 3 / seconds for seconds in spent]
    figure(
        f"{done} look-ups of one process",
        f"a second: {rates[0]:.0f} kept, {rates[1]:.0f} foreign, {rates[2]:.0f} refused; memory "
        f"{grown:+} kB of {after[0]}, descriptors {after[1]}, files {len(after[2])} as before",
    )
