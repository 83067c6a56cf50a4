"""``pipenv-ca provision trust``: prints the trust policy of a role for jobs of GitHub Actions.

The claims are those of GitHub's documentation, "About security hardening with OpenID Connect".
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from codeartifact_pipenv.auth.resolver import caller_for
from codeartifact_pipenv.clients.caller import find_account
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.target import word_like
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_ISSUER = "token.actions.githubusercontent.com"
_ANY_REGION = "us-east-1"  # IAM has none; STS answers everywhere
_FORM = re.compile(
    r"(?P<repository>[\w.*?-]+/[\w.*?-]+)"
    r"(?:@(?P<branch>[^\s:~^\[\\]+)|:environment:(?P<environment>[^\n]+))?",
    re.ASCII,
)
_FORMS = "OWNER/REPOSITORY@BRANCH, or OWNER/REPOSITORY:environment:NAME"


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a trust policy; raises what ``cli.main`` does."""
    del report
    options = _parser().parse_args(list(arguments))
    subject = _subject(options.github)
    if _is_pattern(subject) and not options.allow_wildcards:
        raise UsageError(
            f"{options.github} would trust more than one branch: everybody who may push any of "
            "them.",
            f"Name one: {_FORMS}; or give --allow-wildcards.",
        )
    account = options.account or find_account(caller_for(settings), _ANY_REGION)
    sys.stdout.write(f"{json.dumps(_trust_policy(account, subject), indent=2)}\n")
    return 0


def _subject(where: str) -> str:
    """Return the ``sub`` claim of the jobs that are meant; ``*`` and ``?`` are wildcards."""
    match = _FORM.fullmatch(where)
    if match is None:
        raise UsageError(f"{where} is not a repository of GitHub.", f"Write --github {_FORMS}.")
    if match["branch"]:
        jobs = f"ref:refs/heads/{match['branch']}"
    elif match["environment"]:
        # (GitHub writes a colon in a name so.)
        jobs = f"environment:{match['environment'].replace(':', '%3A')}"
    else:
        jobs = "*"
    return f"repo:{match['repository']}:{jobs}"


def _trust_policy(account: str, subject: str) -> dict[str, Any]:
    claims = {f"{_ISSUER}:aud": "sts.amazonaws.com"}
    jobs = {f"{_ISSUER}:sub": subject}
    condition = {"StringEquals": {**claims, **jobs}}
    if _is_pattern(subject):
        condition = {"StringEquals": claims, "StringLike": jobs}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{_ISSUER}"},
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
        examples={"pipenv-ca provision trust --github acme/app@main > trust.json": ""},
    )
    parser.add_argument("--github", required=True, metavar="WHERE", help=_FORMS)
    parser.add_argument(
        "--account",
        type=word_like("[0-9]{12}", "an AWS account of 12 digits"),
        metavar="ACCOUNT",
        help="the role's account (default: the caller's)",
    )
    parser.add_argument("--allow-wildcards", action="store_true", help="allow * and ? in names")
    return parser
