"""Which modules a command loads, and which room may import which."""

from __future__ import annotations

import functools
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from support import rooms
from support.programs import PIPENV_CA, run
from support.rooms import NAME, PACKAGE

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/team/simple/"
HEAVY = ("re", "typing", "dataclasses", "pathlib", "logging", "tomllib", "tomli", "json")
AWS = ("botocore", "boto3", "s3transfer", "urllib3", "jmespath")

# Each script prints on its last line the modules that it has loaded.
REPORT = """
import sys
print()
print(*sorted(sys.modules))
"""
FAST_PATH = """
import sys
from codeartifact_pipenv.wrapper.pipenv_cli import Pipenv

reached = []
Pipenv.exec_pipenv = lambda *words, **options: reached.append(words)
sys.argv = [sys.argv[1], "--version"]
from codeartifact_pipenv.__main__ import main
main()
assert reached
"""
FOREIGN = """
from codeartifact_pipenv.auth.backend import CodeArtifactBackend
backend = CodeArtifactBackend()
assert backend.get_password("https://example.com/simple", "aws") is None
assert backend.get_credential("poetry-repository-x", None) is None
"""
BACKEND = f"""
from codeartifact_pipenv.auth.backend import CodeArtifactBackend
assert CodeArtifactBackend().get_password("{URL}", None) == "kept-token"
"""
VERB = """
import sys
sys.argv = ["pipenv-ca", WORDS]
from codeartifact_pipenv.__main__ import main
assert main() == 0
"""


@pytest.fixture
def environ(clean_env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which a call to AWS fails at once."""
    tokens = str(tmp_path / "tokens")
    return clean_env | {"PIPENV_CA_CACHE_DIR": tokens, "AWS_EC2_METADATA_DISABLED": "true"}


def loaded(script: str, environ: dict[str, str], folder: Path) -> set[str]:
    """Run a script and return the modules that it loaded beyond what Python itself does."""
    found = []
    for text in (script, ""):
        done = run(sys.executable, "-c", text + REPORT, PIPENV_CA, env=environ, cwd=folder)
        assert done.status == 0, done.output
        found.append(set(done.stdout.splitlines()[-1].split()))
    return found[0] - found[1]


def below(modules: set[str], *names: str) -> list[str]:
    return sorted(name for name in modules if name.partition(".")[0] in names)


def test_command_without_a_token_reaches_pipenv_without_heavy_modules(
    environ: dict[str, str], tmp_path: Path
) -> None:
    found = loaded(FAST_PATH, environ, tmp_path)
    assert below(found, *HEAVY, "keyring", "boto3", "botocore", "dotenv") == []
    assert f"{NAME}.__main__" in found


def test_backend_answers_for_other_services_with_what_keyring_has_loaded(
    environ: dict[str, str], tmp_path: Path
) -> None:
    keyrings = loaded("import keyring.backend, keyring.credentials\n", environ, tmp_path)
    found = loaded(FOREIGN, environ, tmp_path)
    own = {name for name in found if name.startswith(NAME)}
    assert found - keyrings - own <= {"__future__"}
    assert all(f"{NAME}.auth.backend".startswith(name) for name in own), own


@pytest.mark.parametrize(
    ("script", "unwanted"),
    [
        (BACKEND, ()),  # keyring itself loads the backend
        (VERB.replace("WORDS", f"'token', '{URL}'"), ("keyring", "configparser")),
    ],
    ids=["backend", "verb"],
)
def test_cached_token_is_served_without_botocore_or_a_parser_for_keyringrc(
    script: str, unwanted: tuple[str, ...], environ: dict[str, str], tmp_path: Path, home: Path
) -> None:
    keyringrc = home / ".config" / "python_keyring" / "keyringrc.cfg"
    keyringrc.parent.mkdir(parents=True)
    keyringrc.write_text("[backend]\n# default-keyring = keyrings.codeartifact.X\n")
    now, endpoint = datetime.now(timezone.utc), parse_url(URL)
    assert endpoint is not None
    times = {"issued_at": now, "expires_at": now + timedelta(hours=12)}
    token = AuthorizationToken("kept-token", source="AWS", **times)
    resolver = Resolver(Settings({}, environ), environ, Report(), provider=lambda *_, **__: token)
    resolver.token(endpoint)
    found = loaded(script, environ, tmp_path)
    assert below(found, *AWS, "requests", *unwanted) == []


def test_lint_loads_nothing_that_is_slow(environ: dict[str, str], tmp_path: Path) -> None:
    text = f'[[source]]\nname = "ca"\nurl = "{URL}"\n[packages]\nx = "*"\n'
    (tmp_path / "Pipfile").write_text(text)
    found = loaded(VERB.replace("WORDS", "'lint'"), environ, tmp_path)
    slow = ("requests", "rich", "keyring", "tomlkit", "plette", "dotenv", "packaging")
    assert below(found, *AWS, *slow) == []


# --- architecture ------------------------------------------------------------------------

# The order of the rooms, from the ground up; other rooms must only not be in a circle.
FLOORS = [
    *("errors", "files", "settings", "aws", "auth"),
    *("project", "wrapper", "checks", "assistant", "__main__"),
]

arrows = functools.cache(rooms.arrows)


def test_at_most_eight_modules_stand_outside_the_rooms() -> None:
    outside = [path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"]
    assert len(outside) <= 8, outside


def test_no_room_imports_from_a_higher_floor_or_in_a_circle() -> None:
    below = rooms.reached(arrows())  # raises CycleError
    for floor, room in enumerate(FLOORS):
        assert below[room].isdisjoint(FLOORS[floor:]), room


def test_sandbox_and_the_rooms_that_are_tested_with_it_stand_apart() -> None:
    """The entry point starts the sandbox by name, not by an import."""
    assert [room for room, used in arrows().items() if "sandbox" in used] == []
    assert arrows()["sandbox"].isdisjoint({"auth", "wrapper", "checks", "clients", "assistant"})
