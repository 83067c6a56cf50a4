"""What is loaded when, and which module may import which."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import run

import codeartifact_pipenv

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(codeartifact_pipenv.__file__).parent
NAME = PACKAGE.name
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
from codeartifact_pipenv.wrapper.executable import Pipenv

class Reached(BaseException):
    pass

def take_over(self, *arguments, **options):
    raise Reached

Pipenv.take_over = take_over
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
from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.auth.terms import Terms
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.settings import MAXIMUM_DURATION, Settings

now = datetime.now(timezone.utc)
token = AuthorizationToken(
    "kept-token", source="AWS", issued_at=now, expires_at=now + timedelta(hours=12)
)
resolver = Resolver(Settings({}, os.environ), os.environ, Report())
key = resolver._key(parse_url("URL").domain, Terms(MAXIMUM_DURATION, None))
TokenCache(os.environ["PIPENV_CA_CACHE_DIR"]).put(key, token)
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
    assert below(found, (*HEAVY, "keyring", "boto3", "botocore", "dotenv", "filelock")) == []
    assert f"{NAME}.__main__" in found
    others = ("arguments", "assistant", "auth", "completing", "progress", "project")
    assert [name for name in found if name.startswith(tuple(f"{NAME}.{o}" for o in others))] == []


def test_foreign_service(environ: dict[str, str], tmp_path: Path) -> None:
    """The backend answers for a foreign service with what keyring itself has loaded."""
    keyrings = loaded("import keyring.backend, keyring.credentials\n", environ, tmp_path)
    found = loaded(_FOREIGN, environ, tmp_path)
    ours = {name for name in found - keyrings if name.partition(".")[0] != NAME}
    assert ours <= {"__future__"}
    assert [name for name in sorted(found) if name.startswith(f"{NAME}.")] == [
        f"{NAME}.auth",
        f"{NAME}.auth.backend",
    ]


@pytest.mark.parametrize(
    "script", [_BACKEND, _VERB, _RESOLVER], ids=["backend", "verb", "resolver"]
)
def test_cached_token(script: str, environ: dict[str, str], tmp_path: Path) -> None:
    """A token from the cache is served without botocore, and without the AWS provider.

    A configuration of keyring without a section of ours is not parsed for it either.
    """
    keyringrc = Path(environ["HOME"]) / ".config" / "python_keyring" / "keyringrc.cfg"
    keyringrc.parent.mkdir(parents=True)
    keyringrc.write_text("[backend]\n# default-keyring = keyrings.codeartifact.X\n")
    loaded(_FILL, environ, tmp_path)
    found = loaded(script, environ, tmp_path)
    assert below(found, AWS) == []
    assert f"{NAME}.auth.cache" in found
    assert found.isdisjoint(f"{NAME}.auth.{name}" for name in ("aws", "keyringrc", "refusals"))
    if script != _BACKEND:
        assert below(found, ("keyring", "configparser", "filelock")) == []


def test_lint(environ: dict[str, str], tmp_path: Path) -> None:
    """Lint reads and judges a project without anything that is slow to load."""
    text = f'[[source]]\nname = "ca"\nurl = "{URL}"\n[packages]\nx = "*"\n'
    (tmp_path / "Pipfile").write_text(text)
    found = loaded(_LINT, environ, tmp_path)
    slow = (*AWS, "requests", "rich", "keyring", "tomlkit", "plette", "dotenv", "packaging")
    assert below(found, slow) == []
    assert f"{NAME}.lint.review" in found


# --- architecture ------------------------------------------------------------------------

# From the ground up: a module imports from its own floor's room or from floors below.
FLOORS = (
    {
        "__init__",
        "arguments",
        "digest",
        "endpoint",
        "errors",
        "finding",
        "kept_file",
        "locks",
        "own_files",
        "pip_files",
        "progress",
        "redact",
        "report",
        "settings",
        "simple_page",
        "stdout",
    },
    {"auth", "child", "cli"},
    {"project"},
    {"diagnosis"},
    {"wrapper", "clients", "lint"},
    {
        "assistant",
        "completing",
        "doctor",
        "provision",
    },  # what the wrapper would do; and logins for what was made
    {"__main__"},
)
# Rooms whose parts may import each other.
GROUND = FLOORS[0]
SANDBOX_MAY = {
    "sandbox",
    "arguments",
    "child",
    "endpoint",
    "errors",
    "locks",
    "project",
    "report",
    "settings",
    "simple_page",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports of this package, inside functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            # `from package import name` may name a module.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == NAME:
                yield rest


def room(module: str) -> str:
    top = module.partition(".")[0]
    known = {name for floor in FLOORS for name in floor} | {"sandbox"}
    # `from codeartifact_pipenv import __version__`
    return top if top in known or (PACKAGE / f"{top}.py").exists() else "__init__"


def floor_of(name: str) -> int:
    found = [number for number, floor in enumerate(FLOORS) if name in floor]
    assert found, f"{name} has no place in FLOORS yet: give it one"
    return found[0]


def test_arrows_go_down_only() -> None:
    """Every import leads to the same room or to a lower floor."""
    wrong = []
    for module, tree in modules():
        here = room(module)
        if here == "sandbox":
            continue
        for target in imported(tree):
            there = room(target)
            if there in {here, "sandbox"} or {here, there} <= GROUND:
                continue
            if floor_of(there) >= floor_of(here):
                wrong.append(f"{module} imports {target}")
    assert wrong == []


def test_nothing_imports_the_sandbox() -> None:
    """The sandbox is reached from the entry point alone."""
    users = {
        module
        for module, tree in modules()
        if room(module) != "sandbox" and any(room(name) == "sandbox" for name in imported(tree))
    }
    assert users <= {"__main__"}


def test_the_sandbox_stands_alone() -> None:
    """The sandbox knows addresses and errors, and nothing else of this package."""
    used = {
        room(name)
        for module, tree in modules()
        if room(module) == "sandbox"
        for name in imported(tree)
    }
    assert used <= SANDBOX_MAY, f"the sandbox imports {sorted(used - SANDBOX_MAY)}"


def test_no_module_hides_a_standard_one() -> None:
    """No module is named like one of the standard library or of keyring."""
    names = {part for module, _ in modules() for part in module.split(".")}
    assert names & {"token", "keyring", "logging", "json", "typing"} == set()
