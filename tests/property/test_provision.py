"""Provisioning from every starting state, against a small model of AWS's rules."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.provision import permissions
from codeartifact_pipenv.provision.aws import AbsentError, OvertakenError, ProvisionError
from codeartifact_pipenv.provision.ensure import PUBLIC_INDEX, Done, Wanted, ensure_index
from codeartifact_pipenv.provision.plan import carry_out

DOMAIN = Domain("acme", "123456789012", "eu-west-1")
OTHERS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}

FORMER = ("111111111111", "o-formerones")


class Killed(BaseException):
    """The end of a process."""


class Model:
    """AWS as far as provisioning knows it; dies after so many calls.

    Attributes:
        domain: key and policy; None for no domain.
        repositories: by name, each with its upstreams, connections, description and policy.
    """

    account = DOMAIN.owner

    def __init__(self, domain: dict[str, Any] | None, repositories: dict[str, Any]) -> None:
        self.domain = domain
        self.repositories = repositories
        self.life = 1_000
        self.written: list[str] = []

    def codeartifact(self, operation: str, **given: Any) -> Any:
        if self.life == 0:
            raise Killed
        self.life -= 1
        if not operation.startswith(("describe", "get", "list")):
            self.written.append(operation)
        answer = getattr(self, operation)(**given)
        return json.loads(json.dumps(answer))

    def describe_domain(self, **_: Any) -> Any:
        if self.domain is None:
            raise AbsentError("", "")
        return {"domain": {"encryptionKey": self.domain["key"]}}

    def _tag_new(self, made: dict[str, Any], given: dict[str, Any]) -> None:
        made["tags"] = {each["key"]: each["value"] for each in given.get("tags", ())}

    def create_domain(self, encryptionKey: str = "arn:aws:kms:x", **more: Any) -> None:  # noqa: N803
        if self.domain is not None:
            raise OvertakenError("", "")
        self.domain = {"key": encryptionKey, "policy": None, "tags": {}}
        self._tag_new(self.domain, more)

    def describe_repository(self, repository: str, **_: Any) -> Any:
        if self.domain is None or repository not in self.repositories:
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
        }
        self._tag_new(self.repositories[repository], more)

    def associate_external_connection(
        self,
        repository: str,
        externalConnection: str,  # noqa: N803
        **_: Any,
    ) -> None:
        found = self.repositories[repository]
        if found["connections"] or found["upstreams"]:
            raise ProvisionError("refused", "")
        found["connections"].append(externalConnection)

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

    def _tagged(self, arn: str) -> dict[str, str]:
        name = arn.rpartition(":")[2].partition("/")[2].partition("/")[2]
        found = self.repositories[name] if name else self.domain
        assert found is not None
        tags: dict[str, str] = found.setdefault("tags", {})
        return tags

    def list_tags_for_resource(self, resourceArn: str) -> Any:  # noqa: N803
        tags = self._tagged(resourceArn)
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def tag_resource(self, resourceArn: str, tags: Any) -> None:  # noqa: N803
        self._tagged(resourceArn).update({each["key"]: each["value"] for each in tags})

    def _policy(self, owner: Any) -> Any:
        if owner is None or owner["policy"] is None:
            raise AbsentError("", "")
        return {"policy": {"document": owner["policy"], "revision": f"r{len(owner['policy'])}"}}

    def get_domain_permissions_policy(self, **_: Any) -> Any:
        return self._policy(self.domain)

    def get_repository_permissions_policy(self, repository: str, **_: Any) -> Any:
        return self._policy(self.repositories.get(repository))

    def put_domain_permissions_policy(self, policyDocument: str, **_: Any) -> None:  # noqa: N803
        assert self.domain is not None
        self.domain["policy"] = policyDocument

    def put_repository_permissions_policy(
        self,
        repository: str,
        policyDocument: str,  # noqa: N803
        **_: Any,
    ) -> None:
        self.repositories[repository]["policy"] = policyDocument


def policies() -> st.SearchStrategy[str | None]:
    former = tuple(permissions.read_grant("read", who) for who in FORMER)
    ours = permissions.of_repository(DOMAIN, "team", former)
    documents = st.lists(st.sampled_from([OTHERS, *ours]), unique_by=lambda each: str(each["Sid"]))
    texts = documents.map(lambda found: json.dumps({"Version": "2012-10-17", "Statement": found}))
    return st.none() | texts


def repositories(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Repositories with upstreams or a connection."""
    above = st.lists(st.sampled_from(names), unique=True, max_size=10)
    connected = st.sampled_from([[PUBLIC_INDEX], ["public:npmjs"]])
    nothing: st.SearchStrategy[list[str]] = st.just([])
    shapes = st.tuples(above, nothing) | st.tuples(nothing, connected)
    return st.builds(
        lambda shape, description, policy: {
            "upstreams": shape[0],
            "connections": shape[1],
            "description": description,
            "policy": policy,
        },
        shapes,
        st.sampled_from(["", "of old"]),
        policies(),
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


WANTED = st.builds(
    Wanted,
    domain=st.just(DOMAIN),
    repository=st.just("team"),
    store=st.just("store"),
    tags=st.sampled_from([(), (("team", "acme"),), (("team", "ours"), ("cost", "42"))]),
    key=st.none() | st.just("arn:aws:kms:x"),
    description=st.none() | st.sampled_from(["", "ours"]),
    grants=st.lists(
        st.builds(
            permissions.read_grant,
            st.sampled_from(["read", "publish"]),
            st.sampled_from(["210987654321", "o-abcdefghij", "arn:aws:iam::210987654321:role/x"]),
        ),
        max_size=3,
    ).map(tuple),
)


def planned(model: Any, wanted: Wanted) -> list[Done]:
    return list(ensure_index(model, wanted, dry_run=True))


def has_conflict(model: Any, wanted: Wanted) -> bool:
    return any(done.status == "conflict" for done in planned(model, wanted))


def changes(model: Any, wanted: Wanted) -> list[Done]:
    return [done for done in planned(model, wanted) if done.is_change]


def provision(model: Any, wanted: Wanted) -> None:
    carry_out(
        lambda dry_run: ensure_index(model, wanted, dry_run=dry_run),
        lambda _: None,
        60,
        is_shown=True,
    )


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


@settings(max_examples=300)
@given(models(), WANTED)
def test_every_state_leads_to_what_is_wanted(model: Model, wanted: Wanted) -> None:
    """Where there is no conflict all is as wanted, all that was there still is, and no step is left."""
    before = json.loads(json.dumps([model.domain, model.repositories]))
    if has_conflict(model, wanted):
        return
    provision(model, wanted)
    assert {done.status for done in planned(model, wanted)} == {"present"}
    assert serves(model)
    assert model.domain is not None
    assert wanted.key in {None, model.domain["key"]}
    assert wanted.description in {None, model.repositories["team"]["description"]}
    for name, former in before[1].items():
        now = model.repositories[name]
        assert now["upstreams"][: len(former["upstreams"])] == former["upstreams"]
        assert now["connections"][: len(former["connections"])] == former["connections"]
        assert (OTHERS in statements(former["policy"])) == (OTHERS in statements(now["policy"]))
    for name in ("team", "store"):
        tags = model.repositories.get(name, {}).get("tags", {})
        is_used = name == "team" or "store" in model.repositories["team"]["upstreams"]
        assert not is_used or {*wanted.tags} <= {*tags.items()}
    let_in = str(model.repositories["team"]["policy"])
    were_there = [who for who in FORMER if who in str(before[1].get("team"))]
    for who in (*were_there, *(grant.principal for grant in wanted.grants)):
        assert who in let_in


@given(models(), WANTED)
def test_the_end_does_not_depend_on_interruptions(model: Model, wanted: Wanted) -> None:
    """Killed before any call, and run again, it ends where an undisturbed run ends."""
    if has_conflict(model, wanted):
        return
    calm = Model(*json.loads(json.dumps([model.domain, model.repositories])))
    provision(calm, wanted)
    for life in range(60):
        model.life = life
        try:
            provision(model, wanted)
        except Killed:
            continue
        break
    assert [model.domain, model.repositories] == [calm.domain, calm.repositories]


@given(models(), WANTED)
def test_a_plan_changes_nothing(model: Model, wanted: Wanted) -> None:
    """A dry run writes nothing, and the same state gives the same plan."""
    assert planned(model, wanted) == planned(model, wanted)
    assert model.written == []


@settings(max_examples=30)
@given(models(), WANTED)
def test_no_step_is_done_twice(model: Model, wanted: Wanted) -> None:
    """From one state to the other each kind of thing is written at most once a place."""
    if not has_conflict(model, wanted):
        expected = changes(model, wanted)
        provision(model, wanted)
        assert len(model.written) == len(expected)
