"""A project in a sandbox, and the AWS logins that break it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from hashlib import sha1
from typing import TYPE_CHECKING

from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import without_credentials

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.sandbox.sandbox import Sandbox
    from codeartifact_pipenv.sandbox.signature import Principal

START = "https://portal.awsapps.com/start"
ROLE = "arn:aws:iam::123456789012:role/admin"
_SSO = f"sso_start_url = {START}\nsso_region = us-east-1\n"
_SSO_ROLE = "sso_account_id = 123456789012\nsso_role_name = developer\n"
# Both forms of an SSO profile named dev.
LEGACY_SSO = f"[profile dev]\n{_SSO}{_SSO_ROLE}"
SSO_SESSION = f"[profile dev]\nsso_session = corp\n{_SSO_ROLE}[sso-session corp]\n{_SSO}"


class Workspace:
    """A sandbox and a project in it.

    Attributes:
        sandbox: the sandbox; its repository ``team`` reaches the public index.
        env: the environment of commands.
        folder: the project.
    """

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.sandbox = sandbox
        self.env = env
        self.folder = folder
        self.team = sandbox.endpoint

    def publish_wheels(self, *endpoints: RepositoryEndpoint) -> None:
        """Publish orb-common, orb-tools, which needs it, and orb-future for Python 3.99."""
        wheels = self.folder.parent / "wheels"
        for wheel in (
            make_wheel(wheels, "orb-common", "2.0.0"),
            make_wheel(wheels, "orb-tools", "1.0", requires=["orb-common"]),
            make_wheel(wheels, "orb-future", "1.0", requires_python=">=3.99"),
        ):
            for endpoint in endpoints:
                self.sandbox.publish(wheel, endpoint)

    def pipfile(self, packages: str, *tables: str) -> None:
        """Write the Pipfile; without tables the only source is the team's repository."""
        write_pipfile(self.folder, *(tables or (source(self.team),)), f"[packages]\n{packages}\n")

    def without_keys(self) -> None:
        self.env = without_credentials(self.env) | {"AWS_EC2_METADATA_DISABLED": "true"}

    def aws_config(self, text: str, profile: str | None = "dev") -> None:
        """Replace the keys by an AWS configuration file, and choose a profile of it."""
        self.without_keys()
        path = self.folder.parent / "aws-config"
        path.write_text(text)
        self.env["AWS_CONFIG_FILE"] = str(path)
        if profile is not None:
            self.env["AWS_PROFILE"] = profile

    def role_profile(self, more: str = "") -> str:
        """Return the profile dev, which assumes a role with the user's keys."""
        return role_profile(self.sandbox.user, more)

    def run(self, *words: str) -> Result:
        return run(PIPENV_CA, *words, env=self.env, cwd=self.folder)


def section(title: str, keys: Principal) -> str:
    """Return a section with keys, of an AWS file or of keyringrc.cfg."""
    return (
        f"[{title}]\naws_access_key_id = {keys.access_key_id}\n"
        f"aws_secret_access_key = {keys.secret_access_key}\n"
    )


def role_profile(keys: Principal, more: str = "") -> str:
    """Return the profile dev, which assumes a role, and its source."""
    base = section("profile base", keys)
    return f"{base}[profile dev]\nrole_arn = {ROLE}\nsource_profile = base\n{more}"


def expired_sso_login(home: Path, cache_name: str) -> None:
    """Write an SSO login that ended yesterday to botocore's cache."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    login = {"accessToken": "x", "expiresAt": yesterday.strftime("%Y-%m-%dT%H:%M:%SZ")}
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    name = sha1(cache_name.encode(), usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(login | {"startUrl": START}))
