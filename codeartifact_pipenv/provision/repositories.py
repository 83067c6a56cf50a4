"""``pipenv-ca provision``: the domain, the store and the team's repository."""

from __future__ import annotations

import argparse

from codeartifact_pipenv.auth.resolver import caller_for
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.aws import Aws
from codeartifact_pipenv.provision.ensure import PUBLIC_INDEX, WantedIndex, ensure_index
from codeartifact_pipenv.provision.permissions import read_principal
from codeartifact_pipenv.provision.plan import Plan, add_plan_options, run_plan
from codeartifact_pipenv.provision.target import (
    DEFAULT_STORE,
    add_target_options,
    find_repository,
    word_like,
)
from codeartifact_pipenv.settings import TOKEN_VARIABLE
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Bring domain and repositories to what is wanted; raises what ``cli.main`` does."""
    options = _parser().parse_args(list(arguments))
    endpoint = find_repository(options, settings)
    domain, name = endpoint.domain, endpoint.repository
    if name == options.store:
        raise UsageError(
            f"{options.store} cannot be both the store and the team's repository.",
            "Name another --repository, or another --store.",
        )
    wanted = WantedIndex(
        str(name),
        options.store,
        options.kms_key,
        options.description,
        dict(options.tags),
        options.readers,
        options.publishers,
    )
    aws = Aws(domain, caller_for(settings, domain))
    plan = Plan(
        f"{name} in {domain}, with {PUBLIC_INDEX} behind it:",
        lambda: ensure_index(aws, wanted),
        _document(endpoint),
        list(_what_next(endpoint, wanted)),
        repeats=True,
    )
    return run_plan(plan, aws, options, report)


def _document(endpoint: RepositoryEndpoint) -> dict[str, object]:
    name, owner, region = endpoint.domain
    return {
        "domain": name,
        "domain_owner": owner,
        "region": region,
        "repository": endpoint.repository,
        "url": endpoint.url,
        "next": _next(endpoint),
    }


def _next(endpoint: RepositoryEndpoint) -> dict[str, str]:
    url = endpoint.simple_url
    with_token = url.replace("https://", f"https://aws:${{{TOKEN_VARIABLE}}}@")
    return {
        "source": f'[[source]]\nurl = "{with_token}"\nverify_ssl = true\nname = "codeartifact"\n',
        "pip": f"pip install --keyring-provider import --index-url {url} PACKAGE",
        "twine": f"twine upload --repository-url {endpoint.url} dist/*",
        "pipenv": f"pipenv-ca fix --add-source {url}",
    }


def _what_next(endpoint: RepositoryEndpoint, wanted: WantedIndex) -> Iterator[str]:
    titles = {
        "source": "In a Pipfile:",
        "pip": "pip, with this package in its environment:",
        "twine": "Publish, with this package in twine's environment:",
    }
    texts = _next(endpoint)
    for key, title in titles.items():
        yield from (title, "", *(f"    {line}" for line in texts[key].splitlines()), "")
    if wanted.readers or wanted.publishers:
        name, owner, region = endpoint.domain
        role = "publisher" if wanted.publishers else "reader"
        yield from ("Users of the other accounts also need an IAM policy. Print it with:", "")
        yield (
            f"    pipenv-ca provision policy {role} --domain {name} --domain-owner {owner} "
            f"--region {region} --repository {wanted.repository}"
        )
        yield ""
    yield from ("Add it to a project, or create one in an empty folder:", "")
    yield f"    {texts['pipenv']}"


def _key(word: str) -> str:
    if word.startswith("alias/") or ":alias/" in word:
        raise UsageError(
            f"{word} is an alias, and AWS shows only the key of a domain.",
            "Give the key's own ARN or id: `aws kms describe-key --key-id ALIAS`.",
        )
    return word


def _tag(word: str) -> tuple[str, str]:
    key, sign, value = word.partition("=")
    if not key or not sign:
        raise argparse.ArgumentTypeError(f"{word} is not KEY=VALUE")
    return key, value


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision",
        description="Create a CodeArtifact domain, a store of public packages and a repository. "
        "Existing resources are kept.",
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
    add_target_options(parser)
    _add_resource_options(parser)
    add_plan_options(parser)
    return parser


def _add_resource_options(parser: Parser) -> None:
    parser.add_argument(
        "--store",
        type=word_like(
            r"[A-Za-z0-9][A-Za-z0-9._-]{1,99}",
            "the name of a repository: 2 to 100 letters, digits and . _ -",
        ),
        default=DEFAULT_STORE,
        metavar="NAME",
        help=f"the repository that is connected to {PUBLIC_INDEX} ({DEFAULT_STORE})",
    )
    parser.add_argument(
        "--kms-key", type=_key, metavar="ARN", help="encrypts a new domain (default: AWS's own key)"
    )
    parser.add_argument(
        "--tags",
        nargs="+",
        action="extend",
        type=_tag,
        default=[],
        metavar="K=V",
        help="tags of the domain and the repositories",
    )
    parser.add_argument("--description", metavar="TEXT", help="description of the repository")
    grants = {"read": ("readers", "read"), "publish": ("publishers", "read and publish")}
    for access, (who, what) in grants.items():
        parser.add_argument(
            f"--grant-{access}",
            dest=who,
            action="append",
            default=[],
            type=read_principal,
            metavar="WHO",
            help=f"allow an account, an ARN or an organisation (o-ID) to {what}",
        )
