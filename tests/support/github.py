"""A GitHub on loopback that gives jobs their identity."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from support.answers import AnsweringServer
from support.sandbox import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSWORD = "of-the-job-0123456789"
_ANSWER = json.dumps({"value": IDENTITY}).encode()


class GitHub(NamedTuple):
    """The environment of a job, and the requests for its identity."""

    env: dict[str, str]
    asked: list[tuple[str, str | None]]


@contextmanager
def github(env: Mapping[str, str], status: int = 200, body: bytes = _ANSWER) -> Iterator[GitHub]:
    """Serve identity tokens as GitHub does ("OpenID Connect reference")."""
    with AnsweringServer(status, body) as server:
        job = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/id?api=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": PASSWORD,
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_RUN_ID": "77",
        }
        yield GitHub({**env, **job}, server.asked)
