"""Fixtures for other projects' tests: a CodeArtifact on loopback, for the session.

pytest finds them by the entry point; they start nothing until a test asks for one.

- ``codeartifact_sandbox``: a running Sandbox; give it packages with ``publish``.
- ``codeartifact_environ``: the environment in which subprocesses meet it.
- ``codeartifact_behaviour``: to be overridden, for another behaviour than the default one.
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
    """Return how the sandbox reads what AWS does not say; None for the likeliest."""
    return None


@pytest.fixture(scope="session")
def codeartifact_sandbox(codeartifact_behaviour: Behaviour | None) -> Iterator[Sandbox]:
    """A CodeArtifact with one repository, which reaches this machine's public index."""
    if importlib.util.find_spec("trustme") is None:
        pytest.fail('the sandbox needs its extra: install "codeartifact-pipenv[sandbox]"')
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

    with Sandbox(behaviour=codeartifact_behaviour) as sandbox:
        yield sandbox


@pytest.fixture
def codeartifact_environ(codeartifact_sandbox: Sandbox) -> dict[str, str]:
    """Return a copy of this process's environment in which every client meets the sandbox."""
    return codeartifact_sandbox.environ()
