"""Checks of the ``.env`` that pipenv loads over the environment."""

from __future__ import annotations

import contextlib
import os
import time
from io import StringIO

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken, describe_duration
from codeartifact_pipenv.checks.files.project_file import TextFile
from codeartifact_pipenv.checks.files.secrets import tokens_in
from codeartifact_pipenv.files.io import read_text
from codeartifact_pipenv.findings import WARNING
from codeartifact_pipenv.project.pipfile import dotenv_path
from codeartifact_pipenv.project.placeholders import is_placeholder
from codeartifact_pipenv.settings import TOKEN_VARIABLE, variable_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from codeartifact_pipenv.findings import Finding

_MAXIMUM_BYTES = 1024 * 1024
# Variables that botocore reads credentials from.
_AWS = frozenset(
    {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    | {"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONFIG_FILE", "AWS_ROLE_ARN"}
    | {"AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE"}
)


def read_dotenv(environ: Mapping[str, str], folder: str) -> TextFile | None:
    """Return the ``.env`` that pipenv loads, or None if it loads or can read none."""
    path = dotenv_path(environ, folder or os.curdir)
    try:
        return TextFile(path, read_text(path, _MAXIMUM_BYTES)) if path else None
    except (OSError, ValueError):
        return None


def review_dotenv(
    file: TextFile, variables: Collection[str], *, uses_codeartifact: bool
) -> Iterator[Finding]:
    """Yield the findings on a ``.env``.

    Args:
        file: the ``.env``.
        variables: the variables that sources take tokens from.
        uses_codeartifact: whether the project has a CodeArtifact source.
    """
    from dotenv.parser import parse_stream  # imported only if the file exists

    aws: dict[str, int] = {}
    for binding in parse_stream(StringIO(file.text)):
        text = binding.original.string
        line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
        name = variable_name(binding.key or "")
        if binding.error:
            sentence = f"Line {line} of {file.name} cannot be read and is ignored."
            yield file.on_line(line, "dotenv-invalid", sentence)
        elif name in {TOKEN_VARIABLE, *variables} and uses_codeartifact:
            yield from _token(file, name, binding.value or "", line)
        elif name in _AWS:
            aws.setdefault(name, line)
        elif any(tokens_in(binding.value or "")) and "eyJ" in (binding.value or ""):
            sentence = (
                f"{binding.key} contains a token in clear text, which expires within 12 hours."
            )
            yield file.on_line(line, "dotenv-token", sentence)._replace(level=WARNING)
    if aws and uses_codeartifact:
        yield file.on_line(
            min(aws.values()),
            "dotenv-aws",
            f"{file.name} sets {', '.join(aws)}: pipenv loads the file only for its child processes, "
            "after pipenv-ca has asked AWS.",
        )


def expired_ago(token: AuthorizationToken) -> str | None:
    """Return how long ago a token expired, in words, or None if it has not or does not say."""
    if token.expires_at is None or not token.has_expired():
        return None
    return describe_duration(time.time() - token.expires_at.timestamp())


def _token(file: TextFile, name: str, value: str, line: int) -> Iterator[Finding]:
    token = None
    with contextlib.suppress(ValueError):  # not a token
        token = AuthorizationToken.from_text(value, source=file.name)
    if not value:
        sentence = f"{name} is empty, and pipenv loads it over a fresh token."
    elif token is None or is_placeholder(value):
        sentence = f"{name} is not set to a token, and pipenv loads it over a fresh one."
    elif (ago := expired_ago(token)) is not None:
        sentence = (
            f"{name} holds a token that expired {ago} ago, and pipenv loads it over a fresh one."
        )
    else:
        sentence = f"{name} holds a token, which expires within 12 hours; pipenv loads it over a fresh one."
        yield file.on_line(line, "dotenv-token", sentence)._replace(level=WARNING)
        return
    yield file.on_line(line, "dotenv-token", sentence)
