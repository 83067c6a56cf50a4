"""The evaluator of policies: data in, a decision out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.sandbox.iam.decision import Policies, Request, decide, decide_trust
from codeartifact_pipenv.sandbox.iam.documents import MalformedPolicyError, Statement, read_policy
from codeartifact_pipenv.sandbox.iam.patterns import is_resource_like

US, THEM = "123456789012", "210987654321"
USER = f"arn:aws:iam::{US}:user/team/me"
ROLE = f"arn:aws:iam::{US}:role/ci/deployer"
SESSION = f"arn:aws:sts::{US}:assumed-role/deployer/job"
DOMAIN = f"arn:aws:codeartifact:us-east-1:{US}:domain/demo"
ACTION = "codeartifact:DescribeDomain"
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY = {**ALLOW, "Effect": "Deny"}


def statements(*given: dict[str, Any], version: str = "2012-10-17") -> tuple[Statement, ...]:
    return read_policy(json.dumps({"Version": version, "Statement": list(given)}))


def request(resource: str = DOMAIN, **context: str | tuple[str, ...]) -> Request:
    keys = {
        name.replace("__", ":"): value if isinstance(value, tuple) else (value,)
        for name, value in context.items()
    }
    return Request(ACTION, resource, US, USER, context={"aws:username": ("me",), **keys})


def is_allowed(statement: dict[str, Any], asked: Request | None = None) -> bool:
    return decide(asked or request(), Policies(statements({**ALLOW, **statement}))).allowed


def is_denied(statement: dict[str, Any], asked: Request | None = None) -> bool:
    found = decide(asked or request(), Policies(statements(ALLOW, {**DENY, **statement})))
    return not found.allowed


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": "codeartifact:DescribeDomain"}, True),
        ({"Action": "CODEARTIFACT:describe*"}, True),
        ({"Action": ["s3:*", "codeartifact:?escribeDomain"]}, True),
        ({"Action": "codeartifact:Describe"}, False),
        ({"Resource": DOMAIN}, True),
        ({"Resource": f"{DOMAIN}s"}, False),
        ({"Resource": DOMAIN.upper()}, False),
        ({"Resource": f"arn:aws:codeartifact:*:{US}:domain/*"}, True),
        ({"Resource": "arn:aws:codeartifact:*"}, True),
        ({"Resource": "arn:aws:codeartifact"}, True),
        ({"Resource": "arn:aws:codeartifact:us-*-1:*:domain/d?mo"}, True),
        ({"Resource": "arn:aws:*code:us-east-1:*:domain/demo"}, False),
        ({"Resource": f"arn:aws:codeartifact:us-east-1:{US}:domain/${{aws:username}}"}, False),
    ],
)
def test_what_a_statement_is_about(statement: dict[str, Any], expected: bool) -> None:
    """Actions in any case, resources part by part, wildcards as AWS has them."""
    assert is_allowed(statement) is expected


def test_all_but_what_is_named() -> None:
    """NotAction and NotResource are about everything else."""
    without = {name: value for name, value in ALLOW.items() if name not in {"Action", "Resource"}}
    for action, expected in ((ACTION, False), ("s3:*", True)):
        found = statements({**without, "NotAction": action, "Resource": "*"})
        assert decide(request(), Policies(found)).allowed is expected
    for resource, expected in ((DOMAIN, False), (f"{DOMAIN}s", True)):
        found = statements({**without, "Action": "*", "NotResource": resource})
        assert decide(request(), Policies(found)).allowed is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringNotEquals", ["b", "a"], "a", False),
        ("StringNotEquals", ["b", "c"], "a", True),
        ("StringNotEquals", "a", None, True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringLike", "repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/main", True),
        ("StringLike", "repo:acme/?", "repo:acme/xy", False),
        ("StringNotLike", "a*", "ab", False),
        ("ArnLike", f"arn:aws:iam::{US}:user/*", USER, True),
        ("ArnEquals", "arn:aws:*:user/team/me", USER, False),
        ("ArnNotLike", f"arn:aws:iam::{US}:user/*", USER, False),
        ("NumericLessThanEquals", 3600, "3600", True),
        ("NumericLessThan", "3600", "3600", False),
        ("NumericNotEquals", "many", "3600", False),
        ("DateGreaterThan", "2020-01-01T00:00:00Z", "1600000000.5", True),
        ("DateLessThan", "2020-01-01T00:00:00Z", "1600000000", False),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.0/8", "192.0.2.1", False),
        ("NotIpAddress", ["10.0.0.0/8"], "192.0.2.1", True),
        ("NotIpAddress", "nowhere", "192.0.2.1", False),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("Null", "true", "a", False),
        ("ForAnyValue:StringEquals", "a", ("b", "a"), True),
        ("ForAllValues:StringEquals", "a", ("b", "a"), False),
        ("ForAllValues:StringEquals", ["a", "b"], ("b", "a"), True),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ForAnyValue:StringEquals", "a", None, False),
        ("StringEquals", "${aws:username}", "me", True),
        ("StringEquals", "${aws:sourcevpce, 'none'}", "none", True),
        ("StringEquals", "${aws:sourcevpce}", "none", False),
        ("StringLike", "${*}", "*", True),
        ("StringLike", "${*}", "a", False),
    ],
)
def test_a_condition(operator: str, wanted: Any, value: Any, expected: bool) -> None:
    """Each operator compares as AWS says, with one value, with several and with none."""
    statement = {"Condition": {operator: {"aws:SourceIdentity": wanted}}}
    asked = request() if value is None else request(aws__sourceidentity=value)
    assert is_allowed(statement, asked) is expected


def test_what_is_unknown_allows_nothing_and_denies() -> None:
    """An operator, key or variable that is not known makes no Allow and every Deny apply."""
    unknown: list[dict[str, Any]] = [
        {"Condition": {"StringResembles": {"aws:username": "me"}}},
        {"Condition": {"ForSome:StringEquals": {"aws:username": "me"}}},
        {"Condition": {"StringNotEquals": {"acme:Mood": "bad"}}},
        {"Condition": {"StringNotEquals": {"aws:username": "${acme:mood}"}}},
        {"Resource": "arn:aws:codeartifact:*:*:domain/${acme:mood}"},
    ]
    for statement in unknown:
        assert not is_allowed(statement), statement
        assert is_denied(statement), statement
    # What else does not hold settles it.
    settled = {"StringResembles": {"aws:username": "me"}, "Bool": {"aws:username": "true"}}
    assert not is_denied({"Condition": settled})


def test_variables_are_of_the_newer_version() -> None:
    """A policy of version 2008-10-17 has no variables: ${...} stands for itself."""
    condition = {"StringEquals": {"aws:username": "${aws:username}"}}
    for version, expected in (("2012-10-17", True), ("2008-10-17", False)):
        found = statements({**ALLOW, "Condition": condition}, version=version)
        assert decide(request(), Policies(found)).allowed is expected


@given(st.text(alphabet="*?ab:/", max_size=12))
def test_a_value_in_a_variable_is_no_pattern(value: str) -> None:
    """What a variable stands for is taken literally, whatever is in it."""
    asked = request(resource=f"arn:aws:s3:::{value}", aws__username=value)
    assert is_allowed({"Resource": "arn:aws:s3:::${aws:username}"}, asked)
    other = request(resource=f"arn:aws:s3:::{value}x", aws__username=value)
    assert not is_allowed({"Resource": "arn:aws:s3:::${aws:username}"}, other)


@given(st.text(max_size=30))
def test_any_arn_fits_itself_and_the_stars(tail: str) -> None:
    """A resource without wildcards fits itself, and unfinished patterns of it."""
    arn = f"arn:aws:codeartifact:us-east-1:{US}:{tail.replace('*', '').replace('?', '')}"
    for pattern in (arn, "*", "arn:aws:codeartifact:*", "arn:*:*:*:*:*", f"{arn}*"):
        assert is_resource_like((pattern,), arn)


@given(
    st.lists(st.sampled_from([ALLOW, DENY]), max_size=3),
    st.lists(st.sampled_from([ALLOW, DENY]), max_size=3),
    st.sampled_from([None, (), (ALLOW,), (DENY,)]),
    st.sampled_from([None, (), (ALLOW,), (DENY,)]),
    st.sampled_from([US, THEM]),
)
def test_one_deny_is_enough(
    identity: list[dict[str, Any]],
    resource: list[dict[str, Any]],
    boundary: Any,
    session: Any,
    owner: str,
) -> None:
    """An explicit deny wins wherever it is; nothing is allowed that nobody allows."""
    parts = [identity, resource, boundary or (), session or ()]
    of_resource = tuple({**each, "Principal": "*"} for each in resource)
    decision = decide(
        request(),
        Policies(
            statements(*identity) if identity else (),
            None if boundary is None else statements(*boundary) if boundary else (),
            None if session is None else statements(*session) if session else (),
        ),
        statements(*of_resource) if of_resource else None,
        owner,
    )
    if any(DENY in part for part in parts):
        assert not decision.allowed
        assert "explicit deny" in decision.reason
    elif not identity and not resource:
        assert "because no " in decision.reason
    elif owner == THEM and not (identity and resource):
        assert not decision.allowed
    elif all(limit is None or limit == (ALLOW,) for limit in (boundary, session)):
        assert decision.allowed


@pytest.mark.parametrize(
    ("principal", "within", "across"),
    [
        ({"AWS": USER}, True, True),
        ({"AWS": "*"}, True, True),
        ("*", True, True),
        ({"AWS": US}, False, True),
        ({"AWS": f"arn:aws:iam::{US}:root"}, False, True),
        ({"AWS": [f"arn:aws:iam::{THEM}:root", THEM]}, False, False),
        ({"AWS": f"arn:aws:iam::{US}:user/*"}, False, False),
        ({"Service": "codebuild.amazonaws.com"}, False, False),
    ],
)
def test_whom_a_resource_policy_names(principal: Any, within: bool, across: bool) -> None:
    """Naming the account delegates to it: its own policies must allow, too."""
    resource = statements({**ALLOW, "Principal": principal})
    assert decide(request(), Policies(()), resource, US).allowed is within
    everything = Policies(statements(ALLOW))
    assert decide(request(), everything, resource, THEM).allowed is across
    assert not decide(request(), Policies(()), resource, THEM).allowed


def test_how_a_session_is_named() -> None:
    """A session is named by its role or by itself; only by itself it escapes its limits."""
    asked = Request(ACTION, DOMAIN, US, SESSION, ROLE)
    nothing = Policies((), (), ())
    for arn, unlimited in ((SESSION, True), (ROLE, False)):
        resource = statements({**ALLOW, "Principal": {"AWS": arn}})
        assert decide(asked, Policies(()), resource, US).allowed
        assert decide(asked, nothing, resource, US).allowed is unlimited


def test_all_principals_but_those_named() -> None:
    """NotPrincipal in a deny spares those that it names."""
    for spared, expected in ((USER, True), (f"{USER}2", False)):
        resource = statements({**DENY, "NotPrincipal": {"AWS": spared}})
        assert decide(request(), Policies(statements(ALLOW)), resource, US).allowed is expected


def test_a_role_needs_its_trust() -> None:
    """No permission of the caller's own replaces a role's trust policy."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": USER}}
    asked = Request("sts:AssumeRole", ROLE, US, USER)
    everything, nothing = Policies(statements(ALLOW)), Policies(())
    for principal, alone, with_policy in (
        (USER, True, True),
        (US, False, True),
        (THEM, False, False),
    ):
        found = statements({**trust, "Principal": {"AWS": principal}})
        assert decide_trust(asked, nothing, found, US).allowed is alone
        assert decide_trust(asked, everything, found, US).allowed is with_policy


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        '{"Statement": []}',
        '{"Version": "2020-01-01", "Statement": []}',
        '{"Statement": [{"Effect": "Allow", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": 1, "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principle": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": []}]}',
    ],
)
def test_what_is_no_policy(document: str) -> None:
    """A document that is no policy is refused, with what is wrong."""
    with pytest.raises(MalformedPolicyError):
        read_policy(document)
