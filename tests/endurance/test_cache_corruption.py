"""The token cache, corrupt in a thousand ways: always a miss or the right token, never another."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, run
from support.runs import KEYRING, Calls, get_token

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken, TokenCache
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.auth.resolver import TokenProvider
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.endurance

OWN = endpoint_for(Domain("my-dom", "123456789012", "us-east-1"), "team")
OTHER = endpoint_for(Domain("other-dom", "123456789012", "us-east-1"), "team")
NOBODY = 65534
SUFFIXES = (".json", ".refused", ".lock")


class Corrupter:
    """Corrupts a file of the cache, each time in a random way.

    Args:
        seed: for the same ways again.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it need not be unguessable
        self.counts: collections.Counter[str] = collections.Counter()

    def corrupt(self, path: Path, other: Path) -> str:
        """Corrupt a file; the other one is another domain's. Return what was done."""
        way = self._random.choice([name for name in dir(self) if name.startswith("_way_")])
        getattr(self, way)(path, other)
        self.counts[way] += 1
        return way

    def _way_bytes(self, path: Path, _: Path) -> None:
        data = path.read_bytes()
        at = self._random.randrange(len(data))
        end = at + self._random.choice([0, 1, 1, 9, 200, len(data)])
        # A digit often leaves JSON with another token or another time.
        digit, noise = b"%d" % self._random.randrange(10), self._random.randbytes(9)
        path.write_bytes(data[:at] + self._random.choice([b"", digit, noise]) + data[end:])

    def _way_size(self, path: Path, _: Path) -> None:
        blanks = b" " * self._random.choice([60_000, 64 * 1024, 3_000_000])
        deep = self._random.choice([b"[", b'{"a":']) * self._random.randint(100, 20_000)
        path.write_bytes(self._random.choice([blanks, blanks + path.read_bytes(), deep]))

    def _way_encoding(self, path: Path, _: Path) -> None:
        encoding = self._random.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp500"])
        path.write_bytes(path.read_text().encode(encoding))

    def _way_field(self, path: Path, other: Path) -> None:
        document, theirs = (json.loads(each.read_bytes()) for each in (path, other))
        name = self._random.choice(sorted(theirs))
        values: list[Any] = [None, True, "", "x" * 60_000, [], {}, -1e308, 10**300, "\ud800"]
        document[name] = self._random.choice([theirs[name], *values])
        path.write_text(json.dumps(document))

    def _way_field_with_a_right_checksum(self, path: Path, _: Path) -> None:
        document = json.loads(path.read_bytes())
        name = self._random.choice(sorted(document.keys() - {"token", "check"}))
        document[name] = self._random.choice([None, [], "x", -1, 1e308, float("nan"), {"a": 1}])
        del document["check"]
        TokenCache(str(path.parent)).write(path.stem, document, path.suffix)

    def _way_file_of_another_domain(self, path: Path, other: Path) -> None:
        shutil.copy(other, path)

    def _way_folder(self, path: Path, _: Path) -> None:
        path.unlink()
        place = path.with_suffix(self._random.choice([path.suffix, ".lock"]))
        place.unlink(missing_ok=True)
        place.mkdir()

    def _way_link(self, path: Path, other: Path) -> None:
        path.unlink()
        ends = [other, path, path.with_suffix(".none"), Path("/dev/zero")]
        path.symlink_to(self._random.choice(ends))

    def _way_pipe(self, path: Path, _: Path) -> None:
        path.unlink()
        os.mkfifo(path, 0o600)

    def _way_mode(self, path: Path, _: Path) -> None:
        path.chmod(self._random.choice([0o644, 0o660, 0o666, 0o777, 0o604, 0o000, 0o200]))

    def _way_owner(self, path: Path, _: Path) -> None:
        with contextlib.suppress(PermissionError):  # (for root only)
            os.chown(path, NOBODY, NOBODY)


class FakeAws:
    """Makes tokens, each another one, and knows their domains."""

    def __init__(self) -> None:
        self.made: dict[str, Domain] = {}

    def __call__(self, domain: Domain, **_: object) -> AuthorizationToken:
        value = f"eyJ2ZXIiOjF9.{domain.name}.{len(self.made)}.x.y"
        self.made[value] = domain
        now = datetime.now(timezone.utc)
        end = now + timedelta(hours=12)
        return AuthorizationToken(value, source="AWS", issued_at=now, expires_at=end)


def refuse(domain: Domain, **_: object) -> AuthorizationToken:
    raise TokenError(f"AWS denies a token for {domain}.", "Ask for it.", "token-denied")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the cache, in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"


def resolver(folder: Path, provider: TokenProvider) -> Resolver:
    environ = {"PIPENV_CA_CACHE_DIR": str(folder), "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}
    settings = Settings({}, environ)
    return Resolver(settings, environ, Report(), is_backend=True, provider=provider)


def clear(path: Path) -> None:
    """Remove an entry, and a folder in place of its lock."""
    for each in (path, path.with_suffix(".lock")):
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
    path.unlink(missing_ok=True)


def test_the_right_token_is_found_after_a_thousand_corruptions(
    folder: Path, size: Callable[[int, int], int], figure: Callable[[str, str], None]
) -> None:
    """Another domain's entry is never used or changed."""
    aws, corrupter, misses, times = FakeAws(), Corrupter(7), 0, size(1000, 10_000)
    resolver(folder, aws).token(OTHER)
    (other,) = folder.glob("*.json")
    kept_other = other.read_bytes()
    right = resolver(folder, aws).token(OWN).value
    (path,) = {*folder.glob("*.json")} - {other}
    for number in range(times):
        way = corrupter.corrupt(path, other)
        found = [resolver(folder, aws).token(OWN).value for _ in range(2)]
        assert [aws.made[value] for value in found] == [OWN.domain] * 2, (number, way)
        misses += found[0] != right
        assert other.read_bytes() == kept_other, (number, way)
        left = [each.name for each in folder.iterdir() if each.suffix not in SUFFIXES]
        assert left == [], (number, way)
        clear(path)
        right = resolver(folder, aws).token(OWN).value
        assert resolver(folder, aws).token(OWN).value == right, (number, way)
    assert misses > times * 0.7
    figure(
        "cache corrupt at random, in one process",
        f"{times} times in {len(corrupter.counts)} ways: {misses} misses,"
        f" {times - misses} right tokens, 0 wrong ones",
    )


def test_a_corrupt_refusal_is_the_same_refusal_or_a_miss(
    folder: Path, size: Callable[[int, int], int]
) -> None:
    aws, corrupter = FakeAws(), Corrupter(8)
    for endpoint in (OTHER, OWN):
        with pytest.raises(TokenError):
            resolver(folder, refuse).token(endpoint)
    other, path = sorted(folder.glob("*.refused"), key=lambda each: each.stat().st_mtime_ns)
    kept = path.read_bytes()
    for _ in range(size(200, 1000)):
        clear(path)
        path.touch(0o600)
        path.write_bytes(kept)
        way = corrupter.corrupt(path, other)
        try:
            said = str(aws.made[resolver(folder, aws).token(OWN).value])
        except TokenError as error:
            said = error.sentence
        assert said in {str(OWN.domain), f"AWS denies a token for {OWN.domain}."}, way
        clear(path.with_suffix(".json"))


def test_both_entry_points_print_the_right_token_after_each_corruption(
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    tmp_path: Path,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    """They do not speak of the cache."""
    endpoint = sandbox.add_repository(f"far-{tmp_path.name[-9:]}", domain="far-dom")
    folder, corrupter, url = tmp_path / "tokens", Corrupter(9), sandbox.endpoint.simple_url
    words = ((PIPENV_CA, "token", url), (KEYRING, "get", url, "aws"))
    assert run(PIPENV_CA, "token", endpoint.simple_url, env=sandbox_env, cwd=tmp_path).status == 0
    (other,) = folder.glob("*.json")
    calls, times = Calls(sandbox), size(6, 60)
    for number in range(times):
        get_token(sandbox, sandbox_env, tmp_path)
        (path,) = {*folder.glob("*.json")} - {other}
        way = corrupter.corrupt(path, other)
        done = run(*words[number % 2], env=sandbox_env, cwd=tmp_path, timeout=60)
        assert (done.status, done.stderr) == (0, ""), way
        assert sandbox._state.tokens.find(done.stdout.strip(), sandbox.endpoint.domain), way
        clear(path)
    figure(
        "cache corrupt at random, for whole programs",
        f"{times} times: {times} right tokens, {calls.count()} calls to AWS",
    )
