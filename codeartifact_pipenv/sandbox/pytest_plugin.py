"""pytest fixtures for other projects: a local CodeArtifact for the session.

pytest finds them by their entry point. The sandbox starts when a test requests it.

- ``codeartifact_sandbox``: a running Sandbox; add packages with ``publish``.
- ``codeartifact_environ``: the environment in which subprocesses use it.
- ``codeartifact_behaviour``: override it to change the sandbox's behaviour.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.sandbox.behaviour import Behaviour
    from codeartifact_pipenv.sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def codeartifact_behaviour() -> Behaviour | None:
    """Return the sandbox's behaviour; None uses the default. Override this fixture to change it."""
    return None


@pytest.fixture(scope="session")
def codeartifact_sandbox(codeartifact_behaviour: Behaviour | None) -> Iterator[Sandbox]:
    """A CodeArtifact with one repository, connected to this machine's public index."""
    if importlib.util.find_spec("trustme") is None:
        pytest.fail('the sandbox is not installed: run pip install "codeartifact-pipenv[sandbox]"')
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

    with Sandbox(behaviour=codeartifact_behaviour) as sandbox:
        yield sandbox


@pytest.fixture
def codeartifact_environ(codeartifact_sandbox: Sandbox) -> dict[str, str]:
    """Return a copy of this process's environment in which every client uses the sandbox."""
    return codeartifact_sandbox.environ()
