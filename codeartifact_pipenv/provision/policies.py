"""``pipenv-ca provision policy``: prints a policy for IAM, or makes and attaches it."""

from __future__ import annotations

import json
import re
import sys

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.identity_policies import ROLES, document
from codeartifact_pipenv.provision.managed_policy import WantedPolicy, observe, plan
from codeartifact_pipenv.provision.repositories import DEFAULT_STORE
from codeartifact_pipenv.provision.view import (
    Agreement,
    Outcome,
    Subject,
    add_agreement_options,
    run_plan,
)
from codeartifact_pipenv.provision.where import add_place_options, find_place
from codeartifact_pipenv.settings import MAXIMUM_DURATION, MINIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_KINDS = ("user", "group", "role")


class _Chosen(Chosen, Agreement):
    """What the words say."""

    role: str = ""
    store: str = DEFAULT_STORE
    maximum_duration: int | None = None
    kms_key: str | None = None
    create: str | None = None
    attach_user: Sequence[str] | None = None
    attach_group: Sequence[str] | None = None
    attach_role: Sequence[str] | None = None

    @property
    def attachments(self) -> tuple[tuple[str, str], ...]:
        """Kind and name of everybody that the policy is for."""
        named = zip(_KINDS, (self.attach_user, self.attach_group, self.attach_role), strict=True)
        return tuple((kind, name) for kind, names in named for name in names or ())


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a policy document, or make it in IAM as a plan.

    Raises:
        UsageError: the words are not understood, or there is nobody to ask.
        CodeArtifactPipenvError: AWS refuses something, or is not reached.
    """
    chosen = _parser().parse_args(list(arguments), _Chosen())
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
    # The policy is of the account that asks; the domain may be of another one.
    wanted = WantedPolicy(place.calls.account, chosen.create, text, chosen.attachments)
    return run_plan(
        Subject(
            f"The policy {chosen.create}, for a {chosen.role} of {place.repository} in {domain}:",
            lambda: plan(observe(place.calls, wanted), wanted),
        ),
        place.calls,
        chosen,
        Outcome({"arn": wanted.arn, "document": text}, [f"Its ARN: {wanted.arn}"]),
        report,
    )


def _check(chosen: _Chosen) -> None:
    maximum = chosen.maximum_duration
    if maximum is not None and not MINIMUM_DURATION <= maximum <= MAXIMUM_DURATION:
        raise UsageError(
            f"No token lives {maximum} seconds.",
            f"--maximum-duration is from {MINIMUM_DURATION} to {MAXIMUM_DURATION}.",
        )
    if chosen.kms_key is not None and not re.fullmatch(
        r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+", chosen.kms_key, re.ASCII
    ):
        raise UsageError(
            f"{chosen.kms_key} is not the ARN of a key.",
            "It is as arn:aws:kms:REGION:ACCOUNT:key/ID.",
        )
    if chosen.create is None and (chosen.attachments or chosen.yes or chosen.dry_run):
        raise UsageError(
            "Without --create the policy is only printed.",
            "Give --create NAME to make it in IAM, with --attach-user and the like.",
        )
    if chosen.create is not None and not re.fullmatch(
        r"[\w+=,.@-]{1,128}", chosen.create, re.ASCII
    ):
        raise UsageError(
            f"IAM can have no policy named {chosen.create}.",
            "A name has up to 128 letters, digits and + = , . @ - _.",
        )


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision policy",
        description="Print the least that somebody needs as a policy for IAM, or make it there.",
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
    parser.add_argument("--create", metavar="NAME", help="make the policy in IAM")
    for kind in _KINDS:
        parser.add_argument(
            f"--attach-{kind}", action="append", metavar="NAME", help=f"attach it to a {kind}"
        )
    add_agreement_options(parser)
    return parser
