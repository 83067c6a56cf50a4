"""A sandbox with one private package, and what its package endpoint is asked with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.sandbox import WHEEL, get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with one private wheel."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-alone", "2.0", requires_python=">=3.8")
    return folder


@pytest.fixture
def sandbox(packages: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox([packages], upstream=False, base=clean_base) as running:
        yield running


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return get_token(sandbox)


@pytest.fixture
def page_url(sandbox: Sandbox) -> str:
    return f"{sandbox.endpoint.simple_url}acme-alone/"


@pytest.fixture
def file_url(page_url: str) -> str:
    return f"{page_url}2.0/{WHEEL}"
