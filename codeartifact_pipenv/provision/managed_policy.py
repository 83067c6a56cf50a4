"""Makes sure that a managed policy of IAM says what is wanted.

A policy keeps its former documents as versions, at most five; none is deleted here.
"""

from __future__ import annotations

import json
from typing import Any

from codeartifact_pipenv.provision.aws import AbsentError
from codeartifact_pipenv.provision.ensure import Done
from codeartifact_pipenv.provision.permissions import meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.provision.aws import Aws

_MOST_VERSIONS = 5
"""How many versions a policy may have (IAM user guide, "IAM and AWS STS quotas")."""


def policy_arn(account: str, name: str) -> str:
    """Return the ARN of a managed policy of an account."""
    return f"arn:aws:iam::{account}:policy/{name}"


def ensure_policy(
    aws: Aws, name: str, document: dict[str, Any], *, dry_run: bool
) -> Iterator[Done]:
    """Ensure that a policy's default version is a document.

    Args:
        aws: the clients.
        name: the policy's name, in the caller's account.
        document: what it is to say.
        dry_run: whether nothing is changed.

    Raises:
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    arn = policy_arn(aws.account, name)
    versions = _versions(aws, arn)
    same = [each["VersionId"] for each in versions if _says(aws, arn, each, document)]
    default = next((each["VersionId"] for each in versions if each["IsDefaultVersion"]), "")
    text = json.dumps(document)
    if not versions:
        if not dry_run:
            aws.iam("create_policy", PolicyName=name, PolicyDocument=text)
        yield Done("created", f"create policy {name} in IAM", "it does not exist")
    elif default in same:
        yield Done("present", f"the policy {name}")
    elif same:
        if not dry_run:
            aws.iam("set_default_policy_version", PolicyArn=arn, VersionId=same[0])
        yield Done(
            "changed", f"make {same[0]} the default version of {arn} again", f"instead of {default}"
        )
    elif len(versions) < _MOST_VERSIONS:
        if not dry_run:
            aws.iam("create_policy_version", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
        reason = f"{default} says something else; it stays as a version"
        yield Done("created", f"create a new default version of {arn}", reason)
    else:
        yield _conflict(
            name, arn, [each["VersionId"] for each in versions if each["VersionId"] != default]
        )


def _versions(aws: Aws, arn: str) -> list[Any]:
    """Return the versions of a policy, the newest first."""
    try:
        found = aws.pages("iam", "list_policy_versions", "Versions", PolicyArn=arn)
    except AbsentError:
        return []
    return sorted(found, key=lambda each: -int(each["VersionId"].removeprefix("v")))


def _says(aws: Aws, arn: str, version: Any, document: dict[str, Any]) -> bool:
    answer = aws.iam("get_policy_version", PolicyArn=arn, VersionId=version["VersionId"])
    return bool(meaning(answer["PolicyVersion"]["Document"]) == meaning(document))


def _conflict(name: str, arn: str, former: list[str]) -> Done:
    return Done(
        "conflict",
        f"The policy {name} says something else, and has {len(former) + 1} versions, as many as "
        "IAM keeps.",
        "Delete one yourself, such as the oldest: `aws iam delete-policy-version --policy-arn "
        f"{arn} --version-id {former[-1]}`.",
    )
