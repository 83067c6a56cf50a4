"""What a plan is made of.

A step is data with one act: it does one call, and that call may meet what another run, or an
earlier one that was killed, has done already. So a step that finds its work done or overtaken
says so, and the plan is made again from what there is then.
"""
# ruff: noqa: D102 - Step says what its members are

from __future__ import annotations

import contextlib
import json
from typing import NamedTuple, Protocol

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.provision.arns import domain_arn, repository_arn
from codeartifact_pipenv.provision.calls import AbsentError, OvertakenError
from codeartifact_pipenv.provision.state import PUBLIC_INDEX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.provision.calls import Calls


class Step(Protocol):
    """One change."""

    @property
    def sentence(self) -> str:
        """What is done, as an order: ``make the domain my-dom``."""

    @property
    def reason(self) -> str:
        """Why, as a clause."""

    @property
    def action(self) -> str:
        """``make`` for what is not there yet, ``change`` for what is."""

    def perform(self, calls: Calls) -> None:
        """Do it.

        Raises:
            OvertakenError: it is done, or the state is not what the plan was made for.
            CodeArtifactPipenvError: AWS refuses it, or is not reached.
        """


class Conflict(NamedTuple):
    """What cannot be brought to what is wanted, and what the user can do about it."""

    sentence: str
    hint: str


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        present: what is there as it is wanted, one sentence each.
        steps: what is to be done, in this order.
        conflicts: why nothing may be done at all; empty where all is well.
        notes: what the user should know before agreeing.
    """

    present: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()


class MakeDomain(NamedTuple):
    """Make a domain of the caller's account."""

    domain: Domain
    key: str | None
    tags: tuple[tuple[str, str], ...]
    action: str = "make"

    @property
    def sentence(self) -> str:
        return f"make the domain {self.domain}"

    @property
    def reason(self) -> str:
        key = f"the KMS key {self.key}" if self.key else "the key that AWS manages"
        return f"there is none; its packages are encrypted with {key}, for good"

    def perform(self, calls: Calls) -> None:
        key = {"encryptionKey": self.key} if self.key else {}
        calls.codeartifact("create_domain", domain=self.domain.name, **key, **_tags(self.tags))


class MakeRepository(NamedTuple):
    """Make a repository, with its upstreams at once."""

    domain: Domain
    name: str
    why: str
    upstreams: tuple[str, ...]
    description: str | None
    tags: tuple[tuple[str, str], ...]
    action: str = "make"

    @property
    def sentence(self) -> str:
        above = f", with {', '.join(self.upstreams)} as upstream" if self.upstreams else ""
        return f"make the repository {self.name}{above}"

    @property
    def reason(self) -> str:
        return f"there is none; {self.why}"

    def perform(self, calls: Calls) -> None:
        more: dict[str, object] = {"description": self.description} if self.description else {}
        if self.upstreams:
            more["upstreams"] = _upstreams(self.upstreams)
        calls.codeartifact(
            "create_repository", **place(self.domain, self.name), **more, **_tags(self.tags)
        )


class Connect(NamedTuple):
    """Give a repository the external connection to the public index."""

    domain: Domain
    name: str
    action: str = "change"

    @property
    def sentence(self) -> str:
        return f"connect {self.name} to {PUBLIC_INDEX}"

    @property
    def reason(self) -> str:
        return "public packages come through it"

    def perform(self, calls: Calls) -> None:
        where = place(self.domain, self.name)
        try:
            calls.codeartifact(
                "associate_external_connection", **where, externalConnection=PUBLIC_INDEX
            )
        except CodeArtifactPipenvError:
            # AWS's answer to whom another run has overtaken is not documented.
            found = calls.codeartifact("describe_repository", **where)["repository"]
            now = found.get("externalConnections") or ()
            if all(each["externalConnectionName"] != PUBLIC_INDEX for each in now):
                raise


class AddUpstream(NamedTuple):
    """Put one more upstream behind those that a repository has."""

    domain: Domain
    name: str
    former: tuple[str, ...]
    added: str
    action: str = "change"

    @property
    def sentence(self) -> str:
        return f"add {self.added} to the upstreams of {self.name}"

    @property
    def reason(self) -> str:
        return f"it has {', '.join(self.former)}, before it" if self.former else "it has none"

    def perform(self, calls: Calls) -> None:
        # The list that is sent replaces the one that is there, and AWS has no lock on it: so
        # it is read once more, right before.
        found = calls.codeartifact("describe_repository", **place(self.domain, self.name))
        now = tuple(each["repositoryName"] for each in found["repository"].get("upstreams") or ())
        if self.added not in now:
            calls.codeartifact(
                "update_repository",
                **place(self.domain, self.name),
                upstreams=_upstreams((*now, self.added)),
            )


class Describe(NamedTuple):
    """Set a repository's description."""

    domain: Domain
    name: str
    former: str
    wanted: str
    action: str = "change"

    @property
    def sentence(self) -> str:
        return f"describe {self.name} as {json.dumps(self.wanted, ensure_ascii=False)}"

    @property
    def reason(self) -> str:
        return f"it is described as {json.dumps(self.former, ensure_ascii=False)}"

    def perform(self, calls: Calls) -> None:
        calls.codeartifact(
            "update_repository", **place(self.domain, self.name), description=self.wanted
        )


class Tag(NamedTuple):
    """Tag a domain, or one of its repositories.

    Attributes:
        domain: the domain.
        name: the repository; None for the domain itself.
        tags: that are not there, or have another value.
        former: the values that they have.
    """

    domain: Domain
    name: str | None
    tags: tuple[tuple[str, str], ...]
    former: tuple[tuple[str, str], ...]
    action: str = "change"

    @property
    def sentence(self) -> str:
        return f"tag {self.name or self.domain.name} with {_spelled(self.tags)}"

    @property
    def reason(self) -> str:
        return f"it has {_spelled(self.former)}" if self.former else "it has no such tag"

    def perform(self, calls: Calls) -> None:
        arn = arn_of(self.domain, self.name)
        calls.codeartifact("tag_resource", resourceArn=arn, **_tags(self.tags))


class Permit(NamedTuple):
    """Set the policy of a domain, or of one of its repositories.

    Attributes:
        domain: the domain.
        name: the repository; None for the domain itself.
        why: who is let in.
        document: the whole new policy, others' statements included.
        revision: of the policy that it was made from; None where there was none.
    """

    domain: Domain
    name: str | None
    why: str
    document: str
    revision: str | None

    @property
    def action(self) -> str:
        """``make`` where there was no policy."""
        return "make" if self.revision is None else "change"

    @property
    def sentence(self) -> str:
        what = f"the repository {self.name}" if self.name else f"the domain {self.domain.name}"
        return f"{self.why} {what}"

    @property
    def reason(self) -> str:
        return (
            "it has no policy" if self.revision is None else "its policy does not; the rest stays"
        )

    def perform(self, calls: Calls) -> None:
        lock = {"policyRevision": self.revision} if self.revision else {}
        where = place(self.domain, self.name)
        kind = "repository" if self.name else "domain"
        # A first policy has no revision to be locked by: so it is looked for right before.
        if self.revision is None:
            with contextlib.suppress(AbsentError):
                calls.codeartifact(f"get_{kind}_permissions_policy", **where)
                raise OvertakenError(
                    f"There is a policy now where there was none, to {self.sentence}.",
                    "Run the command again.",
                )
        calls.codeartifact(
            f"put_{kind}_permissions_policy", **where, **lock, policyDocument=self.document
        )


def place(domain: Domain, repository: str | None = None) -> dict[str, str]:
    """Return the parameters by which CodeArtifact's operations name a place."""
    named = {} if repository is None else {"repository": repository}
    return {"domain": domain.name, "domainOwner": domain.owner, **named}


def arn_of(domain: Domain, repository: str | None) -> str:
    """Return the ARN of a domain, or of one of its repositories."""
    return domain_arn(domain) if repository is None else repository_arn(domain, repository)


def _spelled(tags: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags)


def _upstreams(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"repositoryName": name} for name in names]


def _tags(tags: tuple[tuple[str, str], ...]) -> dict[str, list[dict[str, str]]]:
    return {"tags": [{"key": key, "value": value} for key, value in tags]} if tags else {}
