"""Whether a repository exists, by its pages, memory or AWS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
from codeartifact_pipenv.proxy_index.repository_pages import Existence

if TYPE_CHECKING:
    from pathlib import Path

HOST = "my-dom-123456789012.d.codeartifact.us-east-1.amazonaws.com"
DOMAIN = Domain("my-dom", "123456789012", "us-east-1")
ENDPOINTS = [RepositoryEndpoint(DOMAIN, name, "ipv4", HOST) for name in ("team", "other")]


@pytest.mark.parametrize(("hours", "remembered"), [(11.9, True), (12.1, None), (-1, None)])
def test_a_served_page_is_remembered_for_twelve_hours(
    hours: float, remembered: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    Existence(ENDPOINTS, None, str(cache)).has_served(0)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
    later = Existence(ENDPOINTS, None, str(cache))
    assert [later.exists(number) for number in (0, 1)] == [remembered, None]
    for path in cache.iterdir():
        path.write_text('{"served_at": "now"}')
    assert Existence(ENDPOINTS, None, str(cache)).exists(0) is None
