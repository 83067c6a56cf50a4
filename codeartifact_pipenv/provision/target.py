"""Which domain and repository are meant: options, or the variables of hand-made scripts."""

from __future__ import annotations

import argparse
import os
import re

from codeartifact_pipenv.clients.targets import add_domain_options, read_options
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.settings import Settings

DEFAULT_STORE = "pypi-store"
"""The AWS console's name for the repository with the external connection."""


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for domain and repository."""
    add_domain_options(parser)
    parser.epilog = (
        "The variables MY_DOMAIN, DOMAIN_OWNER and MY_REPO are defaults of --domain, "
        "--domain-owner and --repository."
    )


def find_repository(options: argparse.Namespace, settings: Settings) -> RepositoryEndpoint:
    """Return the repository of the options. AWS is asked only if they do not give the owner.

    Raises:
        UsageError: domain, repository or region are missing, or not valid.
        CodeArtifactPipenvError: AWS does not tell the account.
    """
    options.domain = options.domain or _of_variable("MY_DOMAIN", "--domain")
    options.repository = options.repository or _of_variable("MY_REPO", "--repository")
    options.domain_owner = options.domain_owner or os.environ.get("DOMAIN_OWNER")
    return read_options(options, settings)


def _of_variable(variable: str, option: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise UsageError(
            f"The {option.removeprefix('--')} is not set.",
            f"Give {option} NAME, or set {variable}.",
        )
    return value


def word_like(pattern: str, what: str) -> Callable[[str], str]:
    """Return an argparse type for words that a regular expression matches as a whole."""

    def check(word: str) -> str:
        if not re.fullmatch(pattern, word, re.ASCII):
            raise argparse.ArgumentTypeError(f"{word} is not {what}")
        return word

    return check
