"""The company of the guides and examples: its repository, its people and its jobs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from support.clients import Place, make_program, path_without_ours
from support.guides import with_ours
from support.programs import SCRIPTS, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Calls, without_credentials
from support.sandbox import IDENTITY, client_of

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "123456789012"
ACME = Domain("acme", OWNER, "eu-west-1")
TEAM = "team"
CI_ROLE = f"arn:aws:iam::{OWNER}:role/acme-ci"
# Programs that a reader has from the start; git and Python come from the machine.
_PROGRAMS = ("pip", "pipenv", "uv", "uvx")


def make_invoices(folder: Path, version: str) -> Path:
    """Make a version of acme-invoices, which needs acme-core and the public six."""
    module = {"acme_invoices/__init__.py": "def total() -> int:\n    return 42\n"}
    needs = ("acme-core", "six")
    return make_wheel(folder, "acme-invoices", version, requires=needs, modules=module)


def acme_sandbox(folder: Path, base: Mapping[str, str]) -> Sandbox:
    """Return a sandbox with acme's repository: invoices, core, and the program acme-mcp."""
    name, owner, region = ACME
    core = make_wheel(folder, "acme-core", "1.0", modules={"acme_core/__init__.py": ""})
    wheels = [make_invoices(folder, "1.0"), core, make_program(folder, "acme-mcp")]
    return Sandbox(wheels, domain=name, owner=owner, region=region, repository=TEAM, base=base)


class Reader:
    """A developer at acme, or a job, on a machine on which our package is not installed.

    The environment has no AWS credentials; ``calls`` counts the requests from now on.
    """

    def __init__(self, acme: Sandbox, base: Mapping[str, str], folder: Path) -> None:
        self.acme = acme
        self.calls = Calls(acme)
        self.folder = folder
        self.home = Path(base["HOME"])
        own, self.programs = self.home / ".local" / "bin", folder.parent / "programs"
        own.mkdir(parents=True)
        self.programs.mkdir()
        for name in _PROGRAMS:
            (self.programs / name).symlink_to(SCRIPTS / name)
        self.env = without_credentials(acme.environ(base))
        path = (str(own), str(self.programs), path_without_ours(base["PATH"]))
        self.env["PATH"] = os.pathsep.join(path)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "PIPENV_CA_CACHE_DIR"):
            del self.env[name]  # where they are for everybody, below home

    def take_role(self) -> None:
        """Have a job's web identity, which may take the role acme-ci."""
        identity = self.folder.parent / "identity"
        identity.write_text(IDENTITY)
        self.env |= {
            "AWS_ROLE_ARN": CI_ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(identity),
            "AWS_REGION": ACME.region,
        }

    def run(self, *lines: str, by: str = "bash", **variables: str) -> Result:
        """Run some lines in one shell, which must succeed."""
        done = self.ask(*lines, by=by, **variables)
        assert done.status == 0, done.output[-6000:]
        return done

    def ask(self, *lines: str, by: str = "bash", **variables: str) -> Result:
        """Run some lines in one shell, to the first that fails."""
        text = "\n".join(map(with_ours, "\n".join(lines).splitlines()))
        env = self.env | variables
        # A guide is twenty commands of pipenv, which take minutes on a busy machine.
        return run(by, "-ec", text, env=env, cwd=self.folder, timeout=900)

    def version(self, name: str) -> str:
        """Return the version of a distribution in the project's environment."""
        return Place(self.folder / ".venv").version(name)

    def add_profile(self, name: str) -> None:
        """Make a user of acme, and a profile with their keys."""
        iam = client_of(self.acme, "iam", self.acme.user)
        user = f"user-{secrets.token_hex(4)}"
        iam.create_user(UserName=user)
        keys = iam.create_access_key(UserName=user)["AccessKey"]
        iam.close()
        config = self.home / ".aws" / "config"
        config.parent.mkdir(exist_ok=True)
        config.write_text(
            f"[profile {name}]\nregion = {ACME.region}\naws_access_key_id = {keys['AccessKeyId']}\n"
            f"aws_secret_access_key = {keys['SecretAccessKey']}\n"
        )


_TEST = """\
import unittest
import acme_invoices


class Test(unittest.TestCase):
    def test(self):
        self.assertEqual(acme_invoices.total(), 42)
"""


def write_acme_project(folder: Path, sandbox: Sandbox) -> None:
    """Write a project with one test, which needs acme-invoices."""
    entries = (
        '[packages]\nacme-invoices = {version = "~=1.0", index = "codeartifact"}\n'
        'acme-core = {version = "*", index = "codeartifact"}\nsix = "*"\n'
    )
    write_pipfile(folder, PYPI_SOURCE, source(sandbox.endpoint), entries)
    (folder / "test_app.py").write_text(_TEST)
