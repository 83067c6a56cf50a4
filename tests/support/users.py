"""A user of the sandbox, who types commands in a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from support.programs import PIPENV_CA, Result, run
from support.runs import KEYRING, get_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.runs import StandIn

    from codeartifact_pipenv.sandbox.sandbox import Sandbox


class User(NamedTuple):
    """A user with AWS credentials, in a project.

    Attributes:
        sandbox: the sandbox, whose default repository is ``url``.
        env: the environment of commands; a method's own ``env`` replaces it.
        folder: the project.
    """

    sandbox: Sandbox
    env: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        return self.sandbox.endpoint.simple_url

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """Run pipenv-ca."""
        return run(PIPENV_CA, *words, env=self.env if env is None else env, cwd=self.folder)

    def keyring(self, service: str = "", env: Mapping[str, str] | None = None) -> Result:
        """Run `keyring get` for a service, or the default repository."""
        words = (KEYRING, "get", service or self.url, "aws")
        return run(*words, env=self.env if env is None else env, cwd=self.folder)

    def lock(self, stand_in: StandIn, env: Mapping[str, str]) -> Result:
        """Run `pipenv-ca lock` with a stand-in for pipenv, which is given the token."""
        return run(*stand_in.lock, env=env, cwd=self.folder)

    def token(self, *options: str, env: Mapping[str, str] | None = None) -> str:
        """Return a token of the default domain."""
        return get_token(self.sandbox, self.env if env is None else env, self.folder, *options)
