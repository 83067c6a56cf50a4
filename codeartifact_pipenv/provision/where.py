"""Which domain and repository are meant: options, or the variables of hand-made scripts."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.clients.targets import Chosen, add_domain_options, of_options
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.provision.aws import Aws
    from codeartifact_pipenv.settings import Settings

_ANY_OWNER = "000000000000"


class Place(NamedTuple):
    """A repository, and the AWS clients for it."""

    endpoint: RepositoryEndpoint
    aws: Aws

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self.endpoint.repository or ""


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for domain and repository."""
    add_domain_options(parser)
    parser.add_argument("--repository", metavar="NAME", help="the repository's name")
    parser.epilog = (
        "The variables MY_DOMAIN, DOMAIN_OWNER and MY_REPO stand for the first options; the owner "
        "is otherwise the account that asks, the region that of AWS_REGION or of the profile."
    )


def find_place(chosen: Chosen, settings: Settings) -> Place:
    """Return the repository of the options. AWS is asked only if they do not give the owner.

    Raises:
        UsageError: domain, repository or region are missing, or cannot be.
        CodeArtifactPipenvError: AWS does not tell the account.
    """
    from codeartifact_pipenv.provision.aws import Aws

    chosen.domain = _given(chosen.domain, "--domain", "MY_DOMAIN")
    chosen.repository = _given(chosen.repository, "--repository", "MY_REPO")
    owner = chosen.domain_owner or os.environ.get("DOMAIN_OWNER")
    aws = Aws(settings.text("profile"), chosen.region, chosen.domain)
    chosen.region = aws.region
    chosen.domain_owner = owner or _ANY_OWNER
    endpoint = of_options(chosen)
    if not owner:
        chosen.domain_owner = aws.account
        endpoint = of_options(chosen)
    return Place(endpoint, aws)


def _given(value: str | None, option: str, variable: str) -> str:
    found = value or os.environ.get(variable)
    if not found:
        raise UsageError(
            f"It is not clear which {option.removeprefix('--')} is meant.",
            f"Give {option} NAME, or set {variable}.",
        )
    return found
