"""``pipenv-ca provision policy``: prints a policy for IAM, or creates it there."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from codeartifact_pipenv.auth.resolver import caller_for
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.aws import AbsentError, Aws
from codeartifact_pipenv.provision.documents import ROLES, meaning, role_document
from codeartifact_pipenv.provision.plan import Plan, Step, add_plan_options, run_plan
from codeartifact_pipenv.provision.target import (
    DEFAULT_STORE,
    add_target_options,
    find_repository,
    word_like,
)
from codeartifact_pipenv.settings import MAXIMUM_DURATION, MINIMUM_DURATION
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_MOST_VERSIONS = 5
"""How many versions a policy may have (IAM user guide, "IAM and AWS STS quotas")."""


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a policy document, or create it in IAM; raises what ``cli.main`` does."""
    options = _parser().parse_args(list(arguments))
    name = options.create
    if name is None and (options.yes or options.dry_run):
        raise UsageError(
            "Without --create the policy is only printed.", "Give --create NAME to create it."
        )
    domain, repository, *_ = find_repository(options, settings)
    document = role_document(
        options.role,
        domain,
        str(repository),
        options.store,
        maximum=options.maximum_duration,
        key=options.kms_key,
    )
    if name is None:
        sys.stdout.write(f"{json.dumps(document, indent=2)}\n")
        return 0
    aws = Aws(domain, caller_for(settings, domain))
    # The policy belongs to the caller's account; the domain may belong to another.
    arn = f"arn:aws:iam::{aws.account}:policy/{name}"
    plan = Plan(
        f"The policy {name}, for a {options.role} of {repository} in {domain}:",
        lambda: [_ensure_policy(aws, name, arn, document)],
        {"arn": arn, "document": document},
        [
            f"Its ARN: {arn}",
            f"Attach it with: aws iam attach-role-policy --role-name ROLE --policy-arn {arn}",
        ],
    )
    return run_plan(plan, aws, options, report)


def _ensure_policy(aws: Aws, name: str, arn: str, document: dict[str, Any]) -> Step:
    """Ensure that the default version of a policy is a document; no version is deleted."""
    text = json.dumps(document)
    versions = _versions(aws, arn)
    if not versions:
        return Step(
            "make",
            f"create policy {name} in IAM",
            "it does not exist",
            lambda: aws.call("iam", "create_policy", PolicyName=name, PolicyDocument=text),
        )
    default = next((each["VersionId"] for each in versions if each["IsDefaultVersion"]), "")
    same = [each["VersionId"] for each in versions if _says(aws, arn, each, document)]
    if default in same:
        return Step("present", f"the policy {name}")
    if same:
        return Step(
            "change",
            f"make {same[0]} the default version of {arn} again",
            f"instead of {default}",
            lambda: aws.call("iam", "set_default_policy_version", PolicyArn=arn, VersionId=same[0]),
        )
    if len(versions) >= _MOST_VERSIONS:
        oldest = [each["VersionId"] for each in versions if each["VersionId"] != default][-1]
        return Step(
            "conflict",
            f"The policy {name} differs, and has {len(versions)} versions, as many as IAM keeps.",
            "Delete one yourself, such as the oldest: `aws iam delete-policy-version "
            f"--policy-arn {arn} --version-id {oldest}`.",
        )
    new = {"PolicyArn": arn, "PolicyDocument": text, "SetAsDefault": True}
    return Step(
        "make",
        f"create a new default version of {arn}",
        f"{default} says something else; it stays as a version",
        lambda: aws.call("iam", "create_policy_version", **new),
    )


def _versions(aws: Aws, arn: str) -> list[Any]:
    """Return the versions of a policy, the newest first; none of one that does not exist."""
    try:
        found = aws.listed("iam", "list_policy_versions", "Versions", PolicyArn=arn)
    except AbsentError:
        return []
    return sorted(found, key=lambda each: -int(each["VersionId"].removeprefix("v")))


def _says(aws: Aws, arn: str, version: Any, document: dict[str, Any]) -> bool:
    answer = aws.call("iam", "get_policy_version", PolicyArn=arn, VersionId=version["VersionId"])
    return bool(meaning(answer["PolicyVersion"]["Document"]) == meaning(document))


def _seconds(word: str) -> int:
    seconds = int(word)
    if not MINIMUM_DURATION <= seconds <= MAXIMUM_DURATION:
        raise argparse.ArgumentTypeError(
            f"a token can live {MINIMUM_DURATION} to {MAXIMUM_DURATION} seconds"
        )
    return seconds


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision policy",
        description="Print the smallest IAM policy for a kind of user, or create it in IAM.",
        examples={"pipenv-ca provision policy reader --domain acme --repository team": ""},
    )
    parser.add_argument(
        "role",
        choices=ROLES,
        help="admin: provisions the domain and the repository, reserves names, and installs; "
        "publisher: installs and publishes; reader: installs and runs doctor; ci: only installs",
    )
    add_target_options(parser)
    parser.add_argument(
        "--store", default=DEFAULT_STORE, metavar="NAME", help="the store that an admin provisions"
    )
    parser.add_argument(
        "--kms-key",
        type=word_like(
            r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+",
            "the ARN of a key, as arn:aws:kms:REGION:ACCOUNT:key/ID",
        ),
        metavar="ARN",
        help="the domain's key, for an admin",
    )
    parser.add_argument(
        "--maximum-duration",
        type=_seconds,
        metavar="SECONDS",
        help=f"longest lifetime of a token, {MINIMUM_DURATION} to {MAXIMUM_DURATION}",
    )
    parser.add_argument(
        "--create",
        type=word_like(r"[\w+=,.@-]{1,128}", "a name of letters, digits and + = , . @ - _"),
        metavar="NAME",
        help="create or update the policy in IAM",
    )
    add_plan_options(parser)
    return parser
