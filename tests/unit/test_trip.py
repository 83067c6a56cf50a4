"""Which modules a command calls on its way to pipenv."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from support.programs import run
from support.projects import PYPI_SOURCE, source, write_pipfile

from codeartifact_pipenv.endpoint import parse_url

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/team/simple/"
# A reader follows a command through no more files than these.
MOST_MODULES = {"as-written": 17, "loopback": 20}

_FILL = f"""
import os
from datetime import datetime, timedelta, timezone
from codeartifact_pipenv.auth import aws
from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.settings import Settings

now = datetime.now(timezone.utc)
token = AuthorizationToken(
    "kept-token", source="AWS", issued_at=now, expires_at=now + timedelta(hours=12)
)
aws.get_authorization_token = lambda *_, **__: token
Resolver(Settings({{}}, os.environ), os.environ, Report()).token(parse_url("{URL}"))
"""

# Prints each module whose functions are called (module and class bodies are not) until pipenv starts.
_TRIP = """
import inspect, subprocess, sys
from codeartifact_pipenv.__main__ import main

called = set()

class ReachedPipenv(BaseException):
    pass

def note(frame, event, _argument):
    if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        called.add(frame.f_globals.get("__name__", ""))

def start(*_arguments, **_options):
    sys.setprofile(None)
    raise ReachedPipenv

subprocess.Popen = start
sys.setprofile(note)
try:
    main()
except ReachedPipenv:
    print("reached", *sorted({"plette", "tomlkit"} & sys.modules.keys()))
for name in sorted(called):
    if name.partition(".")[0] == "codeartifact_pipenv":
        print(name)
"""


@pytest.mark.parametrize("route", MOST_MODULES)
def test_cached_lock_reaches_pipenv_through_few_modules_and_no_slow_toml_library(
    route: str, clean_env: dict[str, str], tmp_path: Path
) -> None:
    endpoint = parse_url(URL)
    assert endpoint is not None
    write_pipfile(tmp_path, PYPI_SOURCE, source(endpoint), '[packages]\nacme = "*"\n')
    environ = clean_env | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
    environ |= {"PIP_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}
    assert run(sys.executable, "-c", _FILL, env=environ, cwd=tmp_path).status == 0
    words = ("--ca-route", route, "lock")
    done = run(sys.executable, "-c", _TRIP, *words, env=environ, cwd=tmp_path)
    reached, *modules = done.stdout.splitlines()
    sys.stdout.write("\n".join([f"{route}: {len(modules)} modules", *modules, ""]))
    assert reached == "reached", done.output
    assert len(modules) <= MOST_MODULES[route]
