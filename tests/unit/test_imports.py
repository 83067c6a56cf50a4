"""What is loaded when, and which module may import which."""

from __future__ import annotations

import json
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support import rooms
from support.programs import run
from support.rooms import NAME, PACKAGE

URL = "https://my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/team/simple/"
HEAVY = ("re", "typing", "dataclasses", "pathlib", "logging", "tomllib", "tomli", "json")
AWS = ("botocore", "boto3", "s3transfer", "urllib3", "jmespath")

# Each script says on its last line what it has loaded.
_REPORT = """
import sys
names = sorted(sys.modules)
import json
print()
print(json.dumps(names))
"""

_FAST_PATH = """
import sys
from codeartifact_pipenv.wrapper.pipenv_cli import Pipenv

class Reached(BaseException):
    pass

def exec_pipenv(self, *arguments, **options):
    raise Reached

Pipenv.exec_pipenv = exec_pipenv
sys.argv = [sys.argv[1], "--version"]
from codeartifact_pipenv.__main__ import main
try:
    main()
except Reached:
    pass
else:
    raise SystemExit("pipenv was not reached")
"""

_FOREIGN = """
from codeartifact_pipenv.auth.backend import CodeArtifactBackend
backend = CodeArtifactBackend()
assert backend.get_password("https://example.com/simple", "aws") is None
assert backend.get_credential("poetry-repository-x", None) is None
"""

_FILL = """
import os
from datetime import datetime, timedelta, timezone
from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.settings import Settings

now = datetime.now(timezone.utc)
token = AuthorizationToken(
    "kept-token", source="AWS", issued_at=now, expires_at=now + timedelta(hours=12)
)
resolver = Resolver(Settings({}, os.environ), os.environ, Report(), provider=lambda *_, **__: token)
resolver.token(parse_url("URL"))
""".replace("URL", URL)

_BACKEND = f"""
from codeartifact_pipenv.auth.backend import CodeArtifactBackend
assert CodeArtifactBackend().get_password("{URL}", None) == "kept-token"
"""

_VERB = f"""
import sys
sys.argv = ["pipenv-ca", "token", "{URL}"]
from codeartifact_pipenv.__main__ import main
assert main() == 0
"""

_LINT = """
import sys
sys.argv = ["pipenv-ca", "lint"]
from codeartifact_pipenv.__main__ import main
assert main() == 0
"""

_RESOLVER = f"""
import os
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.settings import Settings
resolver = Resolver(Settings({{}}, os.environ), os.environ, Report())
assert resolver.token(parse_url("{URL}")).value == "kept-token"
"""


@pytest.fixture
def environ(clean_env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return clean_env | {
        "PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens"),
        # Whoever asks AWS all the same fails at once.
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def loaded(script: str, environ: dict[str, str], folder: Path) -> set[str]:
    """Run a script and return the modules that it loaded beyond what Python itself does."""
    program = Path(sys.executable).parent / "pipenv-ca"
    done = run(sys.executable, "-c", script + _REPORT, program, env=environ, cwd=folder)
    assert done.status == 0, done.output
    plain = run(sys.executable, "-c", _REPORT, env=environ, cwd=folder)
    ours = set(json.loads(done.stdout.splitlines()[-1]))
    return ours - set(json.loads(plain.stdout.splitlines()[-1]))


def below(modules: set[str], names: tuple[str, ...]) -> list[str]:
    return sorted(name for name in modules if name.partition(".")[0] in names)


def test_fast_path(environ: dict[str, str], tmp_path: Path) -> None:
    """A command that needs no token reaches pipenv without any heavy module."""
    found = loaded(_FAST_PATH, environ, tmp_path)
    assert below(found, (*HEAVY, "keyring", "boto3", "botocore", "dotenv")) == []
    assert f"{NAME}.__main__" in found


def test_foreign_service(environ: dict[str, str], tmp_path: Path) -> None:
    """The backend answers for a foreign service with what keyring itself has loaded."""
    keyrings = loaded("import keyring.backend, keyring.credentials\n", environ, tmp_path)
    found = loaded(_FOREIGN, environ, tmp_path)
    ours = {name for name in found - keyrings if name.partition(".")[0] != NAME}
    assert ours <= {"__future__"}
    own = {name for name in found if name.startswith(NAME)}
    assert all(f"{NAME}.auth.backend".startswith(name) for name in own), own


@pytest.mark.parametrize(
    "script", [_BACKEND, _VERB, _RESOLVER], ids=["backend", "verb", "resolver"]
)
def test_cached_token(script: str, environ: dict[str, str], tmp_path: Path) -> None:
    """A token from the cache is served without botocore, keyring and requests.

    keyringrc.cfg is not parsed either, if it has no section of ours.
    """
    keyringrc = Path(environ["HOME"]) / ".config" / "python_keyring" / "keyringrc.cfg"
    keyringrc.parent.mkdir(parents=True)
    keyringrc.write_text("[backend]\n# default-keyring = keyrings.codeartifact.X\n")
    loaded(_FILL, environ, tmp_path)
    found = loaded(script, environ, tmp_path)
    assert below(found, (*AWS, "requests")) == []
    if script != _BACKEND:  # keyring itself loads the backend
        assert below(found, ("keyring", "configparser")) == []


def test_lint(environ: dict[str, str], tmp_path: Path) -> None:
    """Lint reads and judges a project without anything that is slow to load."""
    text = f'[[source]]\nname = "ca"\nurl = "{URL}"\n[packages]\nx = "*"\n'
    (tmp_path / "Pipfile").write_text(text)
    found = loaded(_LINT, environ, tmp_path)
    slow = (*AWS, "requests", "rich", "keyring", "tomlkit", "plette", "dotenv", "packaging")
    assert below(found, slow) == []


# --- architecture ------------------------------------------------------------------------

# The order of the rooms is stated here only, from the ground up; a room that is not named may
# stand anywhere, but not in a circle.
FLOORS = (
    "errors",
    "files",
    "settings",
    "aws",
    "auth",
    "project",
    "wrapper",
    "checks",
    "assistant",
    "__main__",
)
MOST_MODULES_AT_THE_TOP = 8


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports."""
    return rooms.arrows()


def test_top_modules() -> None:
    """Beside the rooms stand at most eight modules."""
    beside = [path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"]
    assert len(beside) <= MOST_MODULES_AT_THE_TOP, beside


def test_no_circles(arrows: dict[str, set[str]]) -> None:
    """Rooms do not import each other in a circle."""
    TopologicalSorter(arrows).prepare()


def test_arrows_go_down_only(arrows: dict[str, set[str]]) -> None:
    """A room does not import from a higher floor, directly or through others."""
    below = rooms.reached(arrows)
    for floor, room in enumerate(FLOORS):
        assert below[room].isdisjoint(FLOORS[floor:]), room


def test_nothing_imports_the_sandbox(arrows: dict[str, set[str]]) -> None:
    """Nothing at run time imports the sandbox: the entry point starts it by name."""
    assert [room for room, used in arrows.items() if "sandbox" in used] == []


def test_the_sandbox_stands_apart(arrows: dict[str, set[str]]) -> None:
    """The sandbox stands in for AWS, so it does not use the rooms that are tested with it."""
    assert arrows["sandbox"].isdisjoint({"auth", "wrapper", "checks", "clients", "assistant"})
