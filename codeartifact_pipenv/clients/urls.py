"""URLs of repositories with a login in them, for tools that take it from nowhere else."""

from __future__ import annotations

from codeartifact_pipenv.endpoint import parse_url

USERNAME = "aws"


def with_login(url: str, token: str | None) -> str:
    """Return a repository's URL with a user name, and with a token if there is one.

    Raises:
        ValueError: the URL is not CodeArtifact's, to which alone a token goes.
    """
    if parse_url(url) is None:
        raise ValueError("a token is for CodeArtifact alone")
    password = f":{token}" if token else ""
    return url.replace("https://", f"https://{USERNAME}{password}@", 1)
