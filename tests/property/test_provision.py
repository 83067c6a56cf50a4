"""Provisioning from every starting state, against a small model of AWS's rules."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from codeartifact_pipenv.aws.caller import Caller
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.provision.aws import AbsentError, Aws, OvertakenError, ProvisionError
from codeartifact_pipenv.provision.ensure import PUBLIC_INDEX, WantedIndex, ensure_index
from codeartifact_pipenv.provision.permissions import statements_for
from codeartifact_pipenv.provision.plan import Plan, Step, carry_out

DOMAIN = Domain("acme", "123456789012", "eu-west-1")
OTHERS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}

IAM = "arn:aws:iam"
FORMER = (f"{IAM}::111111111111:root", "o-formerones")


class Killed(BaseException):
    """The end of a process."""


def pairs(tags: Any = (), **_: Any) -> dict[str, Any]:
    return {"tags": {each["key"]: each["value"] for each in tags}}


class Model(Aws):
    """The part of AWS that provisioning uses; it fails after a number of calls.

    Attributes:
        about_domain: key and policy, or None without a domain.
        repositories: by name, each with its upstreams, connections, description and policy.
    """

    account = DOMAIN.owner

    def __init__(self, domain: dict[str, Any] | None, repositories: dict[str, Any]) -> None:
        super().__init__(DOMAIN, Caller())
        self.about_domain = domain
        self.repositories = repositories
        self.life = 1_000
        self.written: list[str] = []

    @property
    def state(self) -> Any:
        return json.loads(json.dumps([self.about_domain, self.repositories]))

    def call(self, service: str, operation: str, **given: Any) -> Any:  # noqa: ARG002
        if self.life == 0:
            raise Killed
        self.life -= 1
        if not operation.startswith(("describe", "get", "list")):
            self.written.append(operation)
        answer = getattr(self, operation)(**given)
        return json.loads(json.dumps(answer))

    def describe_domain(self, **_: Any) -> Any:
        if self.about_domain is None:
            raise AbsentError("", "")
        return {"domain": {"encryptionKey": self.about_domain["key"]}}

    def create_domain(self, encryptionKey: str = "arn:aws:kms:x", **more: Any) -> None:  # noqa: N803
        if self.about_domain is not None:
            raise OvertakenError("", "")
        self.about_domain = {"key": encryptionKey, "policy": None, **pairs(**more)}

    def describe_repository(self, repository: str, **_: Any) -> Any:
        if self.about_domain is None or repository not in self.repositories:
            raise AbsentError("", "")
        found = self.repositories[repository]
        return {
            "repository": {
                "upstreams": [{"repositoryName": name} for name in found["upstreams"]],
                "externalConnections": [
                    {"externalConnectionName": name} for name in found["connections"]
                ],
                "description": found["description"],
            }
        }

    def create_repository(
        self, repository: str, upstreams: Any = (), description: str = "", **more: Any
    ) -> None:
        self.describe_domain()
        if repository in self.repositories:
            raise OvertakenError("", "")
        names = [each["repositoryName"] for each in upstreams]
        if not {*names} <= {*self.repositories}:
            raise AbsentError("", "")
        self.repositories[repository] = {
            "upstreams": names,
            "connections": [],
            "description": description,
            "policy": None,
            **pairs(**more),
        }

    def associate_external_connection(self, repository: str, **more: Any) -> None:
        found = self.repositories[repository]
        if found["connections"] or found["upstreams"]:
            raise ProvisionError("refused", "")
        found["connections"].append(more["externalConnection"])

    def update_repository(
        self, repository: str, upstreams: Any = None, description: str | None = None, **_: Any
    ) -> None:
        found = self.repositories[repository]
        if upstreams is not None:
            if found["connections"] or len(upstreams) > 10:
                raise ProvisionError("refused", "")
            found["upstreams"] = [each["repositoryName"] for each in upstreams]
        if description is not None:
            found["description"] = description

    def _tagged(self, arn: str) -> Any:
        kind, _, name = arn.rpartition(":")[2].partition("/")
        return self.about_domain if kind == "domain" else self.repositories[name.split("/")[1]]

    def list_tags_for_resource(self, resourceArn: str) -> Any:  # noqa: N803
        tags = self._tagged(resourceArn).get("tags", {})
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def tag_resource(self, resourceArn: str, tags: Any) -> None:  # noqa: N803
        found = self._tagged(resourceArn)
        found["tags"] = {**found.get("tags", {}), **pairs(tags)["tags"]}

    def _policy(self, owner: Any) -> Any:
        if owner is None or owner["policy"] is None:
            raise AbsentError("", "")
        return {"policy": {"document": owner["policy"], "revision": f"r{len(owner['policy'])}"}}

    def get_domain_permissions_policy(self, **_: Any) -> Any:
        return self._policy(self.about_domain)

    def get_repository_permissions_policy(self, repository: str, **_: Any) -> Any:
        return self._policy(self.repositories.get(repository))

    def put_domain_permissions_policy(self, **given: Any) -> None:
        assert self.about_domain is not None
        self.about_domain["policy"] = given["policyDocument"]

    def put_repository_permissions_policy(self, repository: str, **given: Any) -> None:
        self.repositories[repository]["policy"] = given["policyDocument"]


def policies() -> st.SearchStrategy[str | None]:
    _, ours = statements_for(DOMAIN, "team", FORMER, ())
    documents = st.lists(st.sampled_from([OTHERS, *ours]), unique_by=lambda each: str(each["Sid"]))
    texts = documents.map(lambda found: json.dumps({"Version": "2012-10-17", "Statement": found}))
    return st.none() | texts


def repositories(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Repositories with upstreams or a connection."""
    above = st.lists(st.sampled_from(names), unique=True, max_size=10)
    connected = st.sampled_from([[PUBLIC_INDEX], ["public:npmjs"]])
    nothing: st.SearchStrategy[list[str]] = st.just([])
    shapes = st.tuples(above, nothing) | st.tuples(nothing, connected)
    rest = st.fixed_dictionaries(
        {"description": st.sampled_from(["", "of old"]), "policy": policies()}
    )
    return st.builds(
        lambda shape, more: {"upstreams": shape[0], "connections": shape[1], **more}, shapes, rest
    )


@st.composite
def models(draw: st.DrawFn) -> Model:
    if not draw(st.booleans()):
        return Model(None, {})
    others = [f"other-{number}" for number in range(11)]
    found: dict[str, Any] = {}
    for name in ("store", "team"):
        if draw(st.booleans()):
            found[name] = draw(repositories([*others, *({"store"} - {name})]))
    key = draw(st.sampled_from(["arn:aws:kms:x", "arn:aws:kms:y"]))
    return Model({"key": key, "policy": draw(policies())}, found)


OTHER_ACCOUNTS = st.lists(
    st.sampled_from([f"{IAM}::210987654321:root", "o-abcdefghij", f"{IAM}::210987654321:role/x"]),
    max_size=2,
)
WANTED = st.builds(
    WantedIndex,
    repository=st.just("team"),
    store=st.just("store"),
    tags=st.sampled_from([{}, {"team": "acme"}, {"team": "ours", "cost": "42"}]),
    key=st.none() | st.just("arn:aws:kms:x"),
    description=st.none() | st.sampled_from(["", "ours"]),
    readers=OTHER_ACCOUNTS,
    publishers=OTHER_ACCOUNTS,
)


def planned(model: Model, wanted: WantedIndex) -> list[Step]:
    """Return the plan, which may have no conflict."""
    steps = list(ensure_index(model, wanted))
    assume(all(step.status != "conflict" for step in steps))
    return steps


def provision(model: Model, wanted: WantedIndex) -> None:
    plan = Plan("", lambda: ensure_index(model, wanted), {}, [], repeats=True)
    carry_out(plan, lambda _: None, 60)


def statements(document: str | None) -> list[Any]:
    return [] if document is None else list(json.loads(document)["Statement"])


def serves(model: Model) -> bool:
    """Whether the team's repository reaches the public index."""
    team = model.repositories["team"]
    if PUBLIC_INDEX in team["connections"]:
        return True
    return "store" in team["upstreams"] and model.repositories["store"]["connections"] == [
        PUBLIC_INDEX
    ]


@given(models(), WANTED)
def test_provision_reaches_the_wanted_state_from_every_state(
    model: Model, wanted: WantedIndex
) -> None:
    """The plan alone changes nothing, and existing resources are kept."""
    _, former_repositories = model.state
    steps = planned(model, wanted)
    assert model.written == []
    provision(model, wanted)
    assert len(model.written) == len([step for step in steps if step.carry_out])
    assert {step.status for step in planned(model, wanted)} == {"present"}
    assert serves(model)
    assert model.about_domain is not None
    assert wanted.key in {None, model.about_domain["key"]}
    assert wanted.description in {None, model.repositories["team"]["description"]}
    for name, former in former_repositories.items():
        now = model.repositories[name]
        assert now["upstreams"][: len(former["upstreams"])] == former["upstreams"]
        assert now["connections"][: len(former["connections"])] == former["connections"]
        assert (OTHERS in statements(former["policy"])) == (OTHERS in statements(now["policy"]))
    for name in ("team", "store"):
        tags = model.repositories.get(name, {}).get("tags", {})
        is_used = name == "team" or "store" in model.repositories["team"]["upstreams"]
        assert not is_used or wanted.tags.items() <= tags.items()
    let_in = str(model.repositories["team"]["policy"])
    were_there = [who for who in FORMER if who in str(former_repositories.get("team"))]
    for who in (*were_there, *wanted.readers, *wanted.publishers):
        assert who in let_in


@given(models(), WANTED)
def test_an_interrupted_run_that_is_repeated_ends_as_an_undisturbed_one(
    model: Model, wanted: WantedIndex
) -> None:
    planned(model, wanted)
    calm = Model(*model.state)
    provision(calm, wanted)
    for life in range(60):
        model.life = life
        try:
            provision(model, wanted)
        except Killed:
            continue
        break
    assert model.state == calm.state
