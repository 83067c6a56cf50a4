"""``pipenv-ca provision trust``: prints the trust policy of a role for jobs of GitHub Actions.

The claims are those of GitHub's documentation, "About security hardening with OpenID Connect".
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

ISSUER = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"
_ANY_REGION = "us-east-1"  # IAM has none; STS answers everywhere
_FORM = re.compile(
    r"(?P<owner>[\w.*?-]+)/(?P<name>[\w.*?-]+)"
    r"(?:@(?P<branch>[^\s:~^\[\\]+)|:environment:(?P<environment>[^\n]+))?",
    re.ASCII,
)


class _Chosen(argparse.Namespace):
    """What the words say."""

    github: str = ""
    account: str | None = None
    allow_wildcards: bool = False


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a trust policy. AWS is asked only where the account is not named.

    Raises:
        UsageError: the words are not understood, or would trust more than one branch.
        CodeArtifactPipenvError: AWS does not say who asks.
    """
    del report
    chosen = _parser().parse_args(list(arguments), _Chosen())
    subject = read_subject(chosen.github, wildcards=chosen.allow_wildcards)
    account = chosen.account
    if account is None:
        from codeartifact_pipenv.provision.aws import Aws

        account = Aws(settings.text("profile"), _ANY_REGION, "any").account
    elif not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(f"{account} is not an AWS account.", "An account has 12 digits.")
    sys.stdout.write(f"{json.dumps(trust_policy(account, subject), indent=2)}\n")
    return 0


def read_subject(text: str, *, wildcards: bool) -> str:
    """Return the ``sub`` claim of the jobs that are meant.

    Args:
        text: ``OWNER/REPOSITORY@BRANCH`` or ``OWNER/REPOSITORY:environment:NAME``.
        wildcards: whether it may be more than one: ``*``, ``?``, or neither branch nor
            environment, which is each.

    Raises:
        UsageError: it is not understood, or it is more than one and may not be.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text} is not a repository of GitHub.",
            "Write --github OWNER/REPOSITORY@BRANCH, or OWNER/REPOSITORY:environment:NAME.",
        )
    repository = f"repo:{match['owner']}/{match['name']}"
    if match["branch"]:
        subject = f"{repository}:ref:refs/heads/{match['branch']}"
    elif match["environment"]:
        # (GitHub writes a colon in a name so.)
        subject = f"{repository}:environment:{match['environment'].replace(':', '%3A')}"
    else:
        subject = f"{repository}:*"
    if _is_pattern(subject) and not wildcards:
        raise UsageError(
            f"{text} would trust more than one branch: everybody who may push any of them.",
            "Name one: OWNER/REPOSITORY@BRANCH, or OWNER/REPOSITORY:environment:NAME; or give "
            "--allow-wildcards.",
        )
    return subject


def trust_policy(account: str, subject: str) -> dict[str, Any]:
    """Return the trust policy of a role in an account for a ``sub`` claim, ``*`` standing for any."""
    claims = {f"{ISSUER}:aud": _AUDIENCE}
    condition: dict[str, dict[str, str]] = {"StringEquals": claims}
    if _is_pattern(subject):
        condition["StringLike"] = {f"{ISSUER}:sub": subject}
    else:
        claims[f"{ISSUER}:sub"] = subject
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{ISSUER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _is_pattern(subject: str) -> bool:
    return "*" in subject or "?" in subject


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision trust",
        description="Print the trust policy of a role that jobs of one GitHub repository assume.",
        examples={
            "pipenv-ca provision trust --github acme/app@main > trust.json": "",
        },
    )
    parser.add_argument(
        "--github",
        required=True,
        metavar="WHERE",
        help="OWNER/REPOSITORY@BRANCH, or OWNER/REPOSITORY:environment:NAME",
    )
    parser.add_argument("--account", metavar="ACCOUNT", help="of the role; else the one that asks")
    parser.add_argument(
        "--allow-wildcards", action="store_true", help="* and ? may stand for several"
    )
    return parser
