"""Provisioning from every starting state, with the sandbox's AWS in this process."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import assume, given
from hypothesis import strategies as st

from codeartifact_pipenv.aws.caller import Caller
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.provision.aws import AbsentError, Aws, OvertakenError, ProvisionError
from codeartifact_pipenv.provision.ensure import PUBLIC_INDEX, WantedIndex, ensure_index
from codeartifact_pipenv.provision.permissions import statements_for
from codeartifact_pipenv.provision.plan import Plan, Step, carry_out
from codeartifact_pipenv.sandbox.api import domains, policies, repositories, tags
from codeartifact_pipenv.sandbox.api.call import Call
from codeartifact_pipenv.sandbox.api.errors import ServiceError
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.signature import Principal
from codeartifact_pipenv.sandbox.state import State

DOMAIN = Domain("acme", "123456789012", "eu-west-1")
CALLER = Principal("", "", None, None, DOMAIN.owner, "arn:aws:iam::123456789012:user/me")
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
IAM = "arn:aws:iam"
FORMER = (f"{IAM}::111111111111:root", "o-formerones")
KEYS = [f"arn:aws:kms:eu-west-1:123456789012:key/{name}" for name in "xy"]
OTHERS = [f"other-{number}" for number in range(11)]
ERRORS = {"ResourceNotFoundException": AbsentError, "ConflictException": OvertakenError}


class Repository(NamedTuple):
    """The starting state of a repository."""

    upstreams: list[str]
    connections: list[str]
    description: str
    policy: str | None


class Start(NamedTuple):
    """A starting state; a key of None means that the domain does not exist."""

    key: str | None
    policy: str | None
    repositories: dict[str, Repository]


class Killed(BaseException):
    """The end of a process."""


class Account(Aws):
    """An account that fails after a number of calls."""

    account = DOMAIN.owner

    def __init__(self, start: Start) -> None:
        super().__init__(DOMAIN, Caller())
        self._state = State(DOMAIN.owner, Behaviour())
        self.life = 1_000
        self.written: list[str] = []
        if start.key is not None:
            self.codeartifact("create_domain", encryptionKey=start.key)
            for name in OTHERS:
                self.codeartifact("create_repository", repository=name)
            if start.policy is not None:
                self.codeartifact("put_domain_permissions_policy", policyDocument=start.policy)
        for name, repository in start.repositories.items():
            self._make(name, repository)
        self.written.clear()

    def _make(self, name: str, wanted: Repository) -> None:
        where = {"repository": name}
        upstreams = [{"repositoryName": each} for each in wanted.upstreams]
        more = {"upstreams": upstreams, "description": wanted.description}
        self.codeartifact("create_repository", **where, **more)
        for connection in wanted.connections:
            where |= {"externalConnection": connection}
            self.codeartifact("associate_external_connection", **where)
        if wanted.policy is not None:
            more = {"repository": name, "policyDocument": wanted.policy}
            self.codeartifact("put_repository_permissions_policy", **more)

    def call(self, service: str, operation: str, **given: Any) -> Any:  # noqa: ARG002
        if self.life == 0:
            raise Killed
        self.life -= 1
        if not operation.startswith(("describe", "get", "list")):
            self.written.append(operation)
        modules = (domains, repositories, policies, tags)
        (handler,) = (getattr(each, operation) for each in modules if hasattr(each, operation))
        try:
            return handler(Call(self._state, given, CALLER, DOMAIN.region))
        except ServiceError as error:
            raise ERRORS.get(error.code, ProvisionError)(error.message, "") from error

    def described(self) -> tuple[str | None, dict[str, tuple[Repository, dict[str, str]]]]:
        """Return the domain's policy, and each repository with its tags."""
        found = {}
        for row in self.codeartifact("list_repositories_in_domain")["repositories"]:
            where = {"repository": row["name"]}
            about = self.codeartifact("describe_repository", **where)["repository"]
            rows = self.call("", "list_tags_for_resource", resourceArn=row["arn"])["tags"]
            repository = Repository(
                [each["repositoryName"] for each in about["upstreams"]],
                [each["externalConnectionName"] for each in about["externalConnections"]],
                about.get("description") or "",
                self._policy(self.find("get_repository_permissions_policy", **where)),
            )
            found[row["name"]] = (repository, {tag["key"]: tag["value"] for tag in rows})
        return self._policy(self.find("get_domain_permissions_policy")), found

    @staticmethod
    def _policy(answer: Any) -> str | None:
        return None if answer is None else str(answer["policy"]["document"])


_, OURS = statements_for(DOMAIN, "team", FORMER, ())
POLICIES = st.none() | st.lists(
    st.sampled_from([THEIRS, *OURS]), unique_by=lambda each: str(each["Sid"])
).map(lambda found: json.dumps({"Version": "2012-10-17", "Statement": found}))
CONNECTIONS = st.sampled_from([[PUBLIC_INDEX], ["public:npmjs"]])
NOTHING: st.SearchStrategy[list[str]] = st.just([])


def repositories_above(names: list[str]) -> st.SearchStrategy[Repository]:
    """Repositories with upstreams or a connection."""
    above = st.lists(st.sampled_from(names), unique=True, max_size=10)
    shapes = st.tuples(above, NOTHING) | st.tuples(NOTHING, CONNECTIONS)
    rest = st.tuples(st.sampled_from(["", "of old"]), POLICIES)
    return st.builds(lambda shape, more: Repository(*shape, *more), shapes, rest)


@st.composite
def starts(draw: st.DrawFn) -> Start:
    if not draw(st.booleans()):
        return Start(None, None, {})
    found, names = {}, list(OTHERS)
    for name in ("store", "team"):
        if draw(st.booleans()):
            found[name] = draw(repositories_above(names))
            names.append(name)
    return Start(draw(st.sampled_from(KEYS)), draw(POLICIES), found)


ACCOUNTS = st.lists(
    st.sampled_from([f"{IAM}::210987654321:root", "o-abcdefghij", f"{IAM}::210987654321:role/x"]),
    max_size=2,
)
WANTED = st.builds(
    WantedIndex,
    repository=st.just("team"),
    store=st.just("store"),
    tags=st.sampled_from([{}, {"team": "acme"}, {"team": "ours", "cost": "42"}]),
    key=st.none() | st.just(KEYS[0]),
    description=st.none() | st.sampled_from(["", "ours"]),
    readers=ACCOUNTS,
    publishers=ACCOUNTS,
)


def planned(account: Account, wanted: WantedIndex) -> list[Step]:
    """Return the plan, which may have no conflict."""
    steps = list(ensure_index(account, wanted))
    assume(all(step.status != "conflict" for step in steps))
    return steps


def provision(account: Account, wanted: WantedIndex) -> None:
    plan = Plan("", lambda: ensure_index(account, wanted), {}, [], repeats=True)
    carry_out(plan, lambda _: None, 60)


@given(starts(), WANTED)
def test_provision_reaches_the_wanted_state_from_every_state(
    start: Start, wanted: WantedIndex
) -> None:
    """The plan alone changes nothing, and existing resources are kept."""
    account = Account(start)
    steps = planned(account, wanted)
    assert account.written == []
    provision(account, wanted)
    assert len(account.written) == len([step for step in steps if step.carry_out])
    assert {step.status for step in planned(account, wanted)} == {"present"}
    _, found = account.described()
    team = found["team"][0]
    stores = {"store"} & {*team.upstreams}
    assert PUBLIC_INDEX in team.connections or stores
    assert PUBLIC_INDEX in team.connections or found["store"][0].connections == [PUBLIC_INDEX]
    assert wanted.key in {None, account.find("describe_domain")["domain"]["encryptionKey"]}
    assert wanted.description in {None, team.description}
    for name, former in start.repositories.items():
        now = found[name][0]
        assert now.upstreams[: len(former.upstreams)] == former.upstreams
        assert now.connections[: len(former.connections)] == former.connections
        assert ("Theirs" in str(former.policy)) == ("Theirs" in str(now.policy))
    for name in {"team"} | stores:
        assert wanted.tags.items() <= found[name][1].items()
    were_there = [each for each in FORMER if each in str(start.repositories.get("team"))]
    for principal in (*were_there, *wanted.readers, *wanted.publishers):
        assert principal in str(team.policy)


@given(starts(), WANTED)
def test_an_interrupted_run_that_is_repeated_ends_as_an_undisturbed_one(
    start: Start, wanted: WantedIndex
) -> None:
    calm, account = Account(start), Account(start)
    planned(calm, wanted)
    provision(calm, wanted)
    for life in range(60):
        account.life = life
        try:
            provision(account, wanted)
        except Killed:
            continue
        break
    account.life = 1_000
    assert account.described() == calm.described()
