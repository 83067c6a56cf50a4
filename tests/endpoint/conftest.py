"""A sandbox with one private package, and clients of its package endpoint."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from support.sandbox import WHEEL, Http, RepositoryClient, get_token, serving

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with one private wheel."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-alone", "2.0", requires_python=">=3.8")
    return folder


@pytest.fixture
def data(packages: Path) -> bytes:
    """Return the bytes of that wheel."""
    return (packages / WHEEL).read_bytes()


@pytest.fixture
def sandbox(packages: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox([packages], upstream=False, base=clean_base) as running:
        yield running


@pytest.fixture
def repository(sandbox: Sandbox, http: Http) -> RepositoryClient:
    return RepositoryClient(http, sandbox.endpoint, get_token(sandbox))


@pytest.fixture
def start(
    packages: Path, clean_base: dict[str, str]
) -> Iterator[Callable[..., tuple[Sandbox, RepositoryClient]]]:
    """Return a function that starts a sandbox with options, until the end of the test."""
    with ExitStack() as stack:

        def starting(**options: Any) -> tuple[Sandbox, RepositoryClient]:
            given = {"upstream": False, "base": clean_base, **options}
            return stack.enter_context(serving(packages, **given))

        yield starting
