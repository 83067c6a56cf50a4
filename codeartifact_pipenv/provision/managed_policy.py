"""A managed policy of IAM and whom it is attached to: what there is, and the plan to what is wanted.

A policy keeps the documents that it had as versions, five of them at most; none is deleted here.
"""
# ruff: noqa: D102 - Step says what its members are

from __future__ import annotations

import json
from typing import Any, NamedTuple

from codeartifact_pipenv.provision.calls import AbsentError
from codeartifact_pipenv.provision.permissions import meaning
from codeartifact_pipenv.provision.steps import Conflict, Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.provision.calls import Calls
    from codeartifact_pipenv.provision.steps import Step

_MOST_VERSIONS = 5
"""How many versions a policy may have (IAM user guide, "IAM and AWS STS quotas")."""


class WantedPolicy(NamedTuple):
    """What is asked for.

    Attributes:
        account: the account that asks.
        name: the policy's name.
        document: what it is to say.
        attachments: kind (``user``, ``group``, ``role``) and name of whom it is for.
    """

    account: str
    name: str
    document: dict[str, Any]
    attachments: tuple[tuple[str, str], ...] = ()

    @property
    def arn(self) -> str:
        """The policy's ARN."""
        return f"arn:aws:iam::{self.account}:policy/{self.name}"


class Version(NamedTuple):
    """One document that a policy has or had."""

    name: str
    is_default: bool
    document: Any


class PolicyState(NamedTuple):
    """What was found.

    Attributes:
        versions: of the policy, the newest first; None where there is no such policy.
        attached: by kind and name, whether it is attached; None where nobody has that name.
    """

    versions: tuple[Version, ...] | None
    attached: Mapping[tuple[str, str], bool | None]


def observe(calls: Calls, wanted: WantedPolicy) -> PolicyState:
    """Return what there is of what is wanted.

    Raises:
        CodeArtifactPipenvError: AWS refuses a look, or is not reached.
    """
    attached = {each: _is_attached(calls, *each, wanted.arn) for each in wanted.attachments}
    return PolicyState(_versions(calls, wanted.arn), attached)


def _versions(calls: Calls, arn: str) -> tuple[Version, ...] | None:
    try:
        found = calls.pages("list_policy_versions", "Versions", PolicyArn=arn)
        return tuple(
            Version(
                each["VersionId"],
                each["IsDefaultVersion"],
                _document(calls, arn, each["VersionId"]),
            )
            for each in sorted(found, key=lambda each: -int(each["VersionId"].removeprefix("v")))
        )
    except AbsentError:
        return None


def _document(calls: Calls, arn: str, version: str) -> Any:
    answer = calls.iam("get_policy_version", PolicyArn=arn, VersionId=version)
    return answer["PolicyVersion"]["Document"]


def _is_attached(calls: Calls, kind: str, name: str, arn: str) -> bool | None:
    try:
        found = calls.pages(
            f"list_attached_{kind}_policies",
            "AttachedPolicies",
            **{f"{kind.capitalize()}Name": name},
        )
    except AbsentError:
        return None
    return any(each["PolicyArn"] == arn for each in found)


def plan(state: PolicyState, wanted: WantedPolicy) -> Plan:
    """Say what leads from a state to what is wanted. Pure."""
    present: list[str] = []
    steps: list[Step] = []
    conflicts: list[Conflict] = []
    found = _plan_document(state, wanted)
    if isinstance(found, Conflict):
        conflicts.append(found)
    elif found is None:
        present.append(f"the policy {wanted.name}")
    else:
        steps.append(found)
    for (kind, name), attached in state.attached.items():
        if attached is None:
            hint = f"Make it, or correct --attach-{kind}."
            conflicts.append(Conflict(f"There is no {kind} {name} in IAM.", hint))
        elif attached:
            present.append(f"the policy on the {kind} {name}")
        else:
            steps.append(Attach(wanted.arn, kind, name))
    return Plan(tuple(present), () if conflicts else tuple(steps), tuple(conflicts))


def _plan_document(state: PolicyState, wanted: WantedPolicy) -> Step | Conflict | None:
    if state.versions is None:
        return MakePolicy(wanted.name, json.dumps(wanted.document))
    same = [v for v in state.versions if meaning(v.document) == meaning(wanted.document)]
    if any(version.is_default for version in same):
        return None
    if same:
        return Restore(wanted.arn, same[0].name)
    if len(state.versions) < _MOST_VERSIONS:
        former = next((v.name for v in state.versions if v.is_default), "another version")
        return NewVersion(wanted.arn, former, json.dumps(wanted.document))
    oldest = [version.name for version in state.versions if not version.is_default][-1]
    return Conflict(
        f"The policy {wanted.name} says something else, and has {len(state.versions)} versions, "
        "as many as IAM keeps.",
        f"Delete one yourself, such as the oldest: `aws iam delete-policy-version --policy-arn "
        f"{wanted.arn} --version-id {oldest}`.",
    )


class MakePolicy(NamedTuple):
    """Make a policy."""

    name: str
    document: str
    action: str = "make"

    @property
    def sentence(self) -> str:
        return f"make the policy {self.name} in IAM"

    @property
    def reason(self) -> str:
        return "there is none"

    def perform(self, calls: Calls) -> None:
        calls.iam("create_policy", PolicyName=self.name, PolicyDocument=self.document)


class NewVersion(NamedTuple):
    """Give a policy another document."""

    arn: str
    former: str
    document: str
    action: str = "make"

    @property
    def sentence(self) -> str:
        return f"make a new default version of {self.arn}"

    @property
    def reason(self) -> str:
        return f"{self.former} says something else; it stays as a version"

    def perform(self, calls: Calls) -> None:
        calls.iam(
            "create_policy_version",
            PolicyArn=self.arn,
            PolicyDocument=self.document,
            SetAsDefault=True,
        )


class Restore(NamedTuple):
    """Let a policy say again what it said once."""

    arn: str
    version: str
    action: str = "change"

    @property
    def sentence(self) -> str:
        return f"make {self.version} the default version of {self.arn} again"

    @property
    def reason(self) -> str:
        return "it says what is wanted, and another version is in force"

    def perform(self, calls: Calls) -> None:
        calls.iam("set_default_policy_version", PolicyArn=self.arn, VersionId=self.version)


class Attach(NamedTuple):
    """Attach a policy to a user, a group or a role."""

    arn: str
    kind: str
    name: str
    action: str = "change"

    @property
    def sentence(self) -> str:
        return f"attach it to the {self.kind} {self.name}"

    @property
    def reason(self) -> str:
        return "it is not"

    def perform(self, calls: Calls) -> None:
        who = {f"{self.kind.capitalize()}Name": self.name}
        calls.iam(f"attach_{self.kind}_policy", PolicyArn=self.arn, **who)
