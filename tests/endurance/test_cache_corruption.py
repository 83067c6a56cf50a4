"""The token cache, corrupt in a thousand ways: always a miss or the right token, never another."""

from __future__ import annotations

import collections
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

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
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


class Spoiler:
    """Spoils one file, each time in a way of chance.

    Args:
        seed: for the same ways again.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it need not be unguessable
        self.counts: collections.Counter[str] = collections.Counter()

    def spoil(self, path: Path, other: Path) -> str:
        """Spoil a file; the other one is another domain's. Return what was done."""
        ways = [name for name in dir(self) if name.startswith("_way_")]
        if os.name == "nt":
            ways = [name for name in ways if not name.startswith("_way_posix")]
        way = self._random.choice(ways)
        getattr(self, way)(path, other)
        self.counts[way] += 1
        return way

    def _json(self, path: Path, change: Callable[[dict[str, Any]], object]) -> None:
        document = json.loads(path.read_bytes())
        change(document)
        path.write_text(json.dumps(document))

    def _value(self) -> object:
        """Return a value of any type."""
        deep: object = "x"
        for _ in range(self._random.randrange(200)):
            deep = [deep]
        return self._random.choice(
            [
                *(None, True, False, "", "x", "eyJ2ZXIiOjF9.a.b.c.d", [], {}, [1], {"a": 1}),
                *(0, -1, 1.5, 1e308, -1e308, 10**300, float("nan"), float("inf")),
                *("\ud800", "\0", "a b", "ü", "x" * 60_000, deep),
            ]
        )

    def _way_bits(self, path: Path, _: Path) -> None:
        data = bytearray(path.read_bytes())
        for _count in range(self._random.randint(1, 8)):
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        path.write_bytes(data)

    def _way_letter(self, path: Path, _: Path) -> None:
        # What stays JSON, and is another token or another time.
        data = path.read_bytes()
        at = self._random.choice([n for n, byte in enumerate(data) if chr(byte).isalnum()])
        letter = b"%d" % self._random.randrange(10)
        path.write_bytes(data[:at] + letter + data[at + 1 :])

    def _way_cut(self, path: Path, _: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: self._random.randrange(len(data))])

    def _way_longer(self, path: Path, _: Path) -> None:
        path.write_bytes(path.read_bytes() + self._random.randbytes(self._random.randint(1, 99)))

    def _way_span(self, path: Path, _: Path) -> None:
        data = bytearray(path.read_bytes())
        at, length = self._random.randrange(len(data)), self._random.randint(1, 200)
        data[at : at + length] = self._random.randbytes(length)
        path.write_bytes(data)

    def _way_zeros(self, path: Path, _: Path) -> None:
        path.write_bytes(bytes(self._random.randrange(5000)))

    def _way_noise(self, path: Path, _: Path) -> None:
        path.write_bytes(self._random.randbytes(self._random.randrange(5000)))

    def _way_huge(self, path: Path, _: Path) -> None:
        blanks = b" " * self._random.choice([60_000, 64 * 1024, 3_000_000])
        data = path.read_bytes()
        path.write_bytes(self._random.choice([blanks + data, data + blanks, blanks]))

    def _way_swapped_fields(self, path: Path, _: Path) -> None:
        def change(document: dict[str, Any]) -> None:
            one, two = self._random.sample(sorted(document), 2)
            document[one], document[two] = document[two], document[one]

        self._json(path, change)

    def _way_missing_fields(self, path: Path, _: Path) -> None:
        def change(document: dict[str, Any]) -> None:
            for name in self._random.sample(sorted(document), self._random.randint(1, 3)):
                del document[name]

        self._json(path, change)

    def _way_wrong_types(self, path: Path, _: Path) -> None:
        def change(document: dict[str, Any]) -> None:
            for name in self._random.sample(sorted(document), self._random.randint(1, 3)):
                document[name] = self._value()

        self._json(path, change)

    def _way_more_fields(self, path: Path, _: Path) -> None:
        self._json(path, lambda document: document.update({"more": self._value()}))

    def _way_other_times(self, path: Path, _: Path) -> None:
        hours = self._random.uniform(-1e6, 1e6)
        times = {"issued_at", "expires_at", "at"}

        def change(document: dict[str, Any]) -> None:
            name = self._random.choice(sorted(times & document.keys()))
            document[name] += 3600 * hours

        self._json(path, change)

    def _way_version(self, path: Path, _: Path) -> None:
        version = self._random.choice([0, 1, 3, 99, "2", None, 2.5])
        self._json(path, lambda document: document.update(version=version))

    def _way_nested(self, path: Path, _: Path) -> None:
        document = json.loads(path.read_bytes())
        wrapped = self._random.choice([[document], {"token": document}, {"document": document}])
        path.write_text(json.dumps(wrapped))

    def _way_deep(self, path: Path, _: Path) -> None:
        mark = self._random.choice([b"[", b'{"a":'])
        path.write_bytes(mark * self._random.randint(100, 20_000))

    def _way_encoding(self, path: Path, _: Path) -> None:
        encoding = self._random.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp500"])
        path.write_bytes(path.read_text().encode(encoding))

    def _way_twice(self, path: Path, _: Path) -> None:
        path.write_bytes(path.read_bytes() * 2)

    def _way_of_another_domain(self, path: Path, other: Path) -> None:
        shutil.copy(other, path)

    def _way_field_of_another_domain(self, path: Path, other: Path) -> None:
        theirs = json.loads(other.read_bytes())
        name = self._random.choice(sorted(theirs))
        self._json(path, lambda document: document.update({name: theirs[name]}))

    def _way_folder(self, path: Path, other: Path) -> None:
        path.unlink()
        path.mkdir()
        if self._random.random() < 0.5:
            shutil.copy(other, path)

    def _way_lock_is_a_folder(self, path: Path, _: Path) -> None:
        path.unlink()
        path.with_suffix(".lock").unlink(missing_ok=True)
        path.with_suffix(".lock").mkdir()

    def _way_posix_link(self, path: Path, other: Path) -> None:
        path.unlink()
        ends = [other, path, path.with_suffix(".none"), Path("/dev/zero")]
        path.symlink_to(self._random.choice(ends))

    def _way_posix_pipe(self, path: Path, _: Path) -> None:
        path.unlink()
        os.mkfifo(path, 0o600)

    def _way_posix_mode(self, path: Path, _: Path) -> None:
        path.chmod(self._random.choice([0o644, 0o660, 0o666, 0o777, 0o604, 0o000, 0o200]))

    def _way_posix_owner(self, path: Path, _: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        else:
            path.unlink()


class Mint:
    """Stands for AWS: makes tokens, each another one, and knows whose they are."""

    def __init__(self) -> None:
        self.made: dict[str, Domain] = {}

    def __call__(self, domain: Domain, **_: object) -> AuthorizationToken:
        value = f"eyJ2ZXIiOjF9.{domain.name}.{len(self.made)}.x.y"
        self.made[value] = domain
        now = datetime.now(timezone.utc)
        return AuthorizationToken(
            value, source="AWS", issued_at=now, expires_at=now + timedelta(hours=12)
        )


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_a_thousand_corruptions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    """Whatever becomes of the file, the resolver finds a token of the domain, and is quick."""
    folder, mint = tmp_path / "cache", Mint()
    environ = {"PIPENV_CA_CACHE_DIR": str(folder), "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}
    monkeypatch.setenv("HOME", str(tmp_path))
    spoiler, misses, times = Spoiler(7), 0, size(1000, 10_000)

    def resolver() -> Resolver:
        settings = Settings({}, environ)
        return Resolver(settings, environ, Report(), is_backend=True, provider=mint)

    other_token = resolver().token(OTHER).value
    (other,) = folder.glob("*.json")
    kept_other = other.read_bytes()
    right = resolver().token(OWN).value
    (path,) = {*folder.glob("*.json")} - {other}
    for number in range(times):
        way = spoiler.spoil(path, other)
        found = resolver().token(OWN).value
        assert mint.made[found] == OWN.domain, (number, way)
        again = resolver().token(OWN).value
        assert mint.made[again] == OWN.domain, (number, way)
        misses += found != right
        assert other.read_bytes() == kept_other, (number, way)
        left = [each.name for each in folder.iterdir() if each.suffix not in SUFFIXES]
        assert left == [], (number, way)
        clear(path)
        if path.with_suffix(".lock").is_dir():
            clear(path.with_suffix(".lock"))
        right = resolver().token(OWN).value
        assert resolver().token(OWN).value == right, (number, way)
    assert resolver().token(OTHER).value == other_token
    assert len(spoiler.counts) >= 24
    assert misses > times * 0.9
    figure(
        "cache corrupt at random, in one process",
        f"{times} times in {len(spoiler.counts)} ways: {misses} misses,"
        f" {times - misses} right tokens, 0 wrong ones",
    )


def test_corrupt_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: Callable[[int, int], int]
) -> None:
    """A refusal that is remembered, and corrupt, is the same refusal or none at all."""
    folder, mint = tmp_path / "cache", Mint()
    environ = {"PIPENV_CA_CACHE_DIR": str(folder), "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}
    monkeypatch.setenv("HOME", str(tmp_path))

    def refuse(domain: Domain, **_: object) -> AuthorizationToken:
        raise TokenError(f"AWS denies a token for {domain}.", "Ask for it.", "token-denied")

    def resolver(provider: TokenProvider = mint) -> Resolver:
        settings = Settings({}, environ)
        return Resolver(settings, environ, Report(), is_backend=True, provider=provider)

    with pytest.raises(TokenError):
        resolver(refuse).token(OTHER)
    (other,) = folder.glob("*.refused")
    with pytest.raises(TokenError):
        resolver(refuse).token(OWN)
    (path,) = {*folder.glob("*.refused")} - {other}
    kept, spoiler = path.read_bytes(), Spoiler(8)
    for _ in range(size(200, 1000)):
        clear(path)
        path.touch(0o600)
        path.write_bytes(kept)
        way = spoiler.spoil(path, other)
        try:
            said = str(mint.made[resolver().token(OWN).value])
        except TokenError as error:
            said = error.sentence
        assert said in {str(OWN.domain), f"AWS denies a token for {OWN.domain}."}, way
        clear(path.with_suffix(".json"))
        clear(path.with_suffix(".lock"))


def test_corruptions_for_whole_programs(
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    tmp_path: Path,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    """Both doors print a token that the domain takes, and say nothing of the cache."""
    endpoint = sandbox.add_repository(f"far-{tmp_path.name[-9:]}", domain="far-dom")
    folder, spoiler, url = tmp_path / "tokens", Spoiler(9), sandbox.endpoint.simple_url
    words = ((PIPENV_CA, "token", url), (KEYRING, "get", url, "aws"))
    assert run(PIPENV_CA, "token", endpoint.simple_url, env=sandbox_env, cwd=tmp_path).status == 0
    (other,) = folder.glob("*.json")
    calls, times = Calls(sandbox), size(6, 60)
    for number in range(times):
        get_token(sandbox, sandbox_env, tmp_path)
        (path,) = {*folder.glob("*.json")} - {other}
        way = spoiler.spoil(path, other)
        done = run(*words[number % 2], env=sandbox_env, cwd=tmp_path, timeout=60)
        assert (done.status, done.stderr) == (0, ""), way
        assert sandbox._state.tokens.find(done.stdout.strip(), sandbox.endpoint.domain), way
        clear(path)
        if path.with_suffix(".lock").is_dir():
            clear(path.with_suffix(".lock"))
    figure(
        "cache corrupt at random, for whole programs",
        f"{times} times: {times} right tokens, {calls.count()} calls to AWS",
    )
