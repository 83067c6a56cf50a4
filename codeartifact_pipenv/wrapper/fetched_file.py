"""Fetch a requirements or constraints file from a URL, with limits and without a login."""

from __future__ import annotations

import os
from http import HTTPStatus

import requests

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.lookups.index_client import read_body, trusted_bundle
from codeartifact_pipenv.project.sources import without_credentials

_MAXIMUM_BYTES = 4 * 1024 * 1024
_WAIT_SECONDS, _ALL_SECONDS = 5.0, 20.0


class _Session(requests.Session):
    """Follows redirects without a login from the user's netrc."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        del response
        prepared_request.headers.pop("Authorization", None)


def fetch_text(url: str) -> str:
    """Return the text at a URL.

    Raises:
        ConfigurationError: it cannot be fetched.
    """
    place = without_credentials(url)
    try:
        with (
            _Session() as session,
            session.get(
                place,
                auth=_no_login,
                timeout=_WAIT_SECONDS,
                verify=trusted_bundle(os.environ),
                stream=True,
            ) as answer,
        ):
            if answer.status_code != HTTPStatus.OK:
                raise _unavailable(place, f"the answer is {answer.status_code}")
            body = read_body(answer, _MAXIMUM_BYTES, _ALL_SECONDS)
    except (OSError, ValueError) as error:  # RequestException is an OSError
        raise _unavailable(place, type(error).__name__) from error
    if body is None:
        raise _unavailable(place, "it is too long, or takes too long")
    return body.decode("utf-8-sig", errors="replace")


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _unavailable(place: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{place} cannot be fetched: {reason}.",
        "Try again, or download the file and name its path.",
    )
