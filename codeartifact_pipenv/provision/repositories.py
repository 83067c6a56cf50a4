"""``pipenv-ca provision``: the domain, the store and the team's repository."""

from __future__ import annotations

import re

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision import permissions
from codeartifact_pipenv.provision.ensure import PUBLIC_INDEX, Wanted, ensure_index
from codeartifact_pipenv.provision.plan import PlanOptions, Subject, add_plan_options, run_plan
from codeartifact_pipenv.provision.where import add_place_options, find_place
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

DEFAULT_STORE = "pypi-store"
"""What the AWS console calls the repository with the external connection."""


class _IndexOptions(Chosen, PlanOptions):
    """The options of the verb."""

    store: str = DEFAULT_STORE
    kms_key: str | None = None
    description: str | None = None
    tags: Sequence[str] | None = None
    grant_read: Sequence[str] | None = None
    grant_publish: Sequence[str] | None = None


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Create or change domain and repositories until they are as wanted.

    Raises:
        UsageError: the words are not understood, or there is no terminal to ask on.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    chosen = _parser().parse_args(list(arguments), _IndexOptions())
    key, tags, grants = _key(chosen.kms_key), _tags(chosen.tags or ()), _grants(chosen)
    place = find_place(chosen, settings)
    if place.repository == chosen.store:
        raise UsageError(
            f"{chosen.store} cannot be both the store and the team's repository.",
            "Name another --repository, or another --store.",
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,99}", chosen.store):
        raise UsageError(
            f"{chosen.store} cannot be the name of a repository.",
            "A name has 2 to 100 letters, digits and . _ - and begins with a letter or digit.",
        )
    domain = place.endpoint.domain
    wanted = Wanted(domain, place.repository, chosen.store, key, chosen.description, tags, grants)
    subject = Subject(
        f"{place.repository} in {domain}, with {PUBLIC_INDEX} behind it:",
        lambda dry_run: ensure_index(place.aws, wanted, dry_run=dry_run),
        _document(place.endpoint),
        _what_next(place.endpoint, wanted),
        is_shown=True,
    )
    return run_plan(subject, place.aws, chosen, report)


def _key(text: str | None) -> str | None:
    if text is not None and (text.startswith("alias/") or ":alias/" in text):
        raise UsageError(
            f"{text} is an alias, and AWS shows only the key of a domain.",
            "Give the key's own ARN or id: `aws kms describe-key --key-id ALIAS`.",
        )
    return text


def _tags(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    tags = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not key or not sign:
            raise UsageError(f"{word} is not a tag.", "Write --tags KEY=VALUE.")
        tags[key] = value
    return tuple(tags.items())


def _grants(chosen: _IndexOptions) -> tuple[permissions.Grant, ...]:
    return (
        *(permissions.read_grant("read", text) for text in chosen.grant_read or ()),
        *(permissions.read_grant("publish", text) for text in chosen.grant_publish or ()),
    )


def _source(endpoint: RepositoryEndpoint) -> list[str]:
    url = endpoint.simple_url.replace("https://", f"https://aws:${{{TOKEN_VARIABLE}}}@")
    return ["[[source]]", f'url = "{url}"', "verify_ssl = true", 'name = "codeartifact"']


def _commands(endpoint: RepositoryEndpoint) -> dict[str, str]:
    url = endpoint.simple_url
    return {
        "pip": f"pip install --keyring-provider import --index-url {url} PACKAGE",
        "twine": f"twine upload --repository-url {endpoint.url} dist/*",
    }


def _document(endpoint: RepositoryEndpoint) -> dict[str, object]:
    return {
        "domain": endpoint.domain.name,
        "domain_owner": endpoint.domain.owner,
        "region": endpoint.domain.region,
        "repository": endpoint.repository,
        "url": endpoint.url,
        "next": {"source": "\n".join(_source(endpoint)) + "\n", **_commands(endpoint)},
    }


def _what_next(endpoint: RepositoryEndpoint, wanted: Wanted) -> list[str]:
    commands = _commands(endpoint)
    lines = ["In a Pipfile:", "", *(f"    {line}" for line in _source(endpoint)), ""]
    lines += ["pip, with this package installed beside it:", "", f"    {commands['pip']}", ""]
    lines += ["Publish, with this package installed beside twine:", "", f"    {commands['twine']}"]
    if wanted.grants:
        name, owner, region = wanted.domain
        role = "publisher" if any(g.access == "publish" for g in wanted.grants) else "reader"
        lines += [
            "",
            "The other accounts' users need a policy of their own, too. It is printed by:",
            "",
            f"    pipenv-ca provision policy {role} --domain {name} --domain-owner {owner} "
            f"--region {region} --repository {wanted.repository}",
        ]
    return lines


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision",
        description="Create a CodeArtifact domain, a store of public packages and a repository, as "
        "far as they do not exist yet. Nothing is ever deleted.",
        parts={
            "access": "log pip and twine in",
            "policy": "print or create a policy for IAM",
            "protect": "reserve names or prefixes of private packages",
            "trust": "print the trust policy of a role for GitHub Actions",
        },
        examples={
            "pipenv-ca provision --domain acme --repository team --dry-run": "see the plan",
            "pipenv-ca provision --domain acme --repository team": "create it",
        },
    )
    add_place_options(parser)
    parser.add_argument(
        "--store",
        default=DEFAULT_STORE,
        metavar="NAME",
        help=f"the repository that is connected to {PUBLIC_INDEX} ({DEFAULT_STORE})",
    )
    parser.add_argument("--kms-key", metavar="ARN", help="of a new domain; else AWS's own")
    parser.add_argument(
        "--tags", nargs="+", action="extend", metavar="K=V", help="of domain and repositories"
    )
    parser.add_argument("--description", metavar="TEXT", help="of the repository")
    for access in ("read", "publish"):
        parser.add_argument(
            f"--grant-{access}",
            action="append",
            metavar="WHO",
            help="let an account, an ARN or an organisation (o-ID) in"
            + (" to read" if access == "read" else ", who may also publish"),
        )
    add_plan_options(parser)
    return parser
