"""``pipenv-ca provision policy``: prints a policy for IAM, or creates it there."""

from __future__ import annotations

import json
import re
import sys

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.identity_policies import ROLES, document
from codeartifact_pipenv.provision.managed_policy import ensure_policy, policy_arn
from codeartifact_pipenv.provision.plan import PlanOptions, Subject, add_plan_options, run_plan
from codeartifact_pipenv.provision.repositories import DEFAULT_STORE
from codeartifact_pipenv.provision.where import add_place_options, find_place
from codeartifact_pipenv.settings import MAXIMUM_DURATION, MINIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


class _PolicyOptions(Chosen, PlanOptions):
    """The options of the verb."""

    role: str = ""
    store: str = DEFAULT_STORE
    maximum_duration: int | None = None
    kms_key: str | None = None
    create: str | None = None


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a policy document, or create it in IAM.

    Raises:
        UsageError: the words are not understood, or there is no terminal to ask on.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    chosen = _parser().parse_args(list(arguments), _PolicyOptions())
    _check(chosen)
    place = find_place(chosen, settings)
    domain = place.endpoint.domain
    text = document(
        chosen.role,
        domain,
        place.repository,
        chosen.store,
        chosen.maximum_duration,
        key=chosen.kms_key,
    )
    if chosen.create is None:
        sys.stdout.write(f"{json.dumps(text, indent=2)}\n")
        return 0
    name = chosen.create
    # The policy belongs to the caller's account; the domain may belong to another.
    arn = policy_arn(place.aws.account, name)
    subject = Subject(
        f"The policy {name}, for a {chosen.role} of {place.repository} in {domain}:",
        lambda dry_run: ensure_policy(place.aws, name, text, dry_run=dry_run),
        {"arn": arn, "document": text},
        [
            f"Its ARN: {arn}",
            f"Attach it with: aws iam attach-role-policy --role-name ROLE --policy-arn {arn}",
        ],
    )
    return run_plan(subject, place.aws, chosen, report)


def _check(chosen: _PolicyOptions) -> None:
    maximum = chosen.maximum_duration
    if maximum is not None and not MINIMUM_DURATION <= maximum <= MAXIMUM_DURATION:
        raise UsageError(
            f"A token cannot live {maximum} seconds.",
            f"--maximum-duration is from {MINIMUM_DURATION} to {MAXIMUM_DURATION}.",
        )
    if chosen.kms_key is not None and not re.fullmatch(
        r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+", chosen.kms_key, re.ASCII
    ):
        raise UsageError(
            f"{chosen.kms_key} is not the ARN of a key.",
            "It is as arn:aws:kms:REGION:ACCOUNT:key/ID.",
        )
    if chosen.create is None and (chosen.yes or chosen.dry_run):
        raise UsageError(
            "Without --create the policy is only printed.",
            "Give --create NAME to create it in IAM.",
        )
    if chosen.create is not None and not re.fullmatch(
        r"[\w+=,.@-]{1,128}", chosen.create, re.ASCII
    ):
        raise UsageError(
            f"{chosen.create} cannot be the name of a policy.",
            "A name has up to 128 letters, digits and + = , . @ - _.",
        )


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision policy",
        description="Print the least that somebody needs as a policy for IAM, or create it there.",
        examples={
            "pipenv-ca provision policy reader --domain acme --repository team": "",
        },
    )
    roles = "; ".join(f"{name}: {role.purpose}" for name, role in ROLES.items())
    parser.add_argument("role", choices=ROLES, help=roles)
    add_place_options(parser)
    parser.add_argument("--store", default=DEFAULT_STORE, metavar="NAME", help="an admin's store")
    parser.add_argument("--kms-key", metavar="ARN", help="an admin's key of the domain")
    parser.add_argument(
        "--maximum-duration",
        type=int,
        metavar="SECONDS",
        help=f"bound on the life of tokens, {MINIMUM_DURATION} to {MAXIMUM_DURATION}",
    )
    parser.add_argument("--create", metavar="NAME", help="create or update the policy in IAM")
    add_plan_options(parser)
    return parser
