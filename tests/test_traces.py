"""A run leaves no token behind and shows it to no other process."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.projects import source, write_pipfile
from support.runs import replace_pipenv
from support.traces import (
    CommandLines,
    assert_no_secrets,
    assert_not_shown,
    files_below,
    files_with,
)

if TYPE_CHECKING:
    from support.users import User

pytestmark = pytest.mark.wide

PACKAGES = '[packages]\norb-schema-generator = "*"\n'
USERINFO = {"variable": "aws:${CODEARTIFACT_AUTH_TOKEN}@", "no-credentials": ""}
# To save time, each row runs some commands; the last one with a revoked token.
RUNS = {
    "variable": ["--ca-verbose lock --verbose", "install --verbose orb-nowhere"],
    "no-credentials": ["--ca-verbose lock --verbose", "run pip install --verbose orb-common"],
    "variable, auto": ["lock", "sync", "install six", "update"],
    "no-credentials, auto": ["install", "update", "uninstall orb-common", "sync"],
}


class Watch(CommandLines):
    """Watch all processes, and the modes of private files; ``*`` marks one with the secret."""

    def __init__(self, secret: str, temporary: Path) -> None:
        super().__init__()
        self.modes: dict[str, set[int]] = {}
        self._secret = secret
        self._temporary = temporary

    def look(self) -> None:
        super().look()
        for folder in self._temporary.glob("pipenv-ca-*"):
            for path in (folder, *files_below(folder)):
                with contextlib.suppress(OSError):
                    name = "folder" if path.is_dir() else path.name
                    if path.is_file() and self._secret.encode() in path.read_bytes():
                        name += "*"
                    self.modes.setdefault(name, set()).add(path.stat().st_mode & 0o777)


@pytest.mark.parametrize("name", RUNS)
def test_commands_leave_the_token_in_the_cache_only(name: str, user: User, tmp_path: Path) -> None:
    for cache in ("PIPENV_CACHE_DIR", "PIP_CACHE_DIR"):
        del user.env[cache]  # which is then in the home
    layout, _, is_auto = name.partition(",")
    write_pipfile(user.folder, source(user.sandbox.endpoint, USERINFO[layout]), PACKAGES)
    if not is_auto:
        user.env["PIPENV_CA_ROUTE"] = "as-written"  # pipenv gets the token on this route
    token, temporary = user.token(), Path(user.env["TMPDIR"])
    with Watch(token, temporary) as watch:
        for number, words in enumerate(RUNS[name]):
            if number == 3:
                user.sandbox.revoke_tokens()
            done = user.run(*words.split())
            assert_not_shown(token, done)
            assert_no_secrets(token, user.folder, Path(user.env["HOME"]), temporary)
            assert os.listdir(temporary) == []
            if number < 3:
                assert (done.status == 0) is ("orb-nowhere" not in words), done.output
                assert len(files_with(token, [tmp_path])) == 1  # the cache
    assert watch.holding(token) == set()
    assert watch.modes["folder"] == {0o700}
    holders = {each: modes for each, modes in watch.modes.items() if each.endswith("*")}
    assert {mode for modes in holders.values() for mode in modes} <= {0o600}
    assert is_auto or ("netrc*" in holders) is (layout == "no-credentials")


# Removing many files takes a while; new files appear meanwhile.
_WRITES_ON = """
folder = os.environ["TMPDIR"]
for number in range(5000):
    open(os.path.join(folder, str(number)), "w").close()
if os.fork() == 0:
    os.closerange(0, 64)
    try:
        for number in range(1000):
            open(os.path.join(folder, f"new-{number}"), "w").close()
            time.sleep(0.002)
    finally:
        os._exit(0)
"""


def test_the_folder_is_removed_while_an_orphan_still_writes(user: User) -> None:
    write_pipfile(user.folder, source(user.sandbox.endpoint), PACKAGES)
    replace_pipenv(user.env, afterwards=_WRITES_ON)
    assert user.run("lock").status == 0
    assert os.listdir(user.env["TMPDIR"]) == []
