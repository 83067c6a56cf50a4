"""The sandbox's control plane, as botocore and the AWS CLI meet it: groups and faults too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.sandbox import (
    FakePublicIndex,
    Http,
    RepositoryClient,
    client,
    client_of,
    enter,
    get_token,
    refused,
)

from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    At = Callable[[str], RepositoryClient]

pytestmark = pytest.mark.wide

OWNER = "123456789012"
ARN = f"arn:aws:codeartifact:us-east-1:{OWNER}"
DEMO = {"domain": "demo"}
HERE, STORE, NEW = ({**DEMO, "repository": name} for name in ("team", "store", "new"))
PACKAGE = {**HERE, "format": "pypi", "package": "acme"}
INVALID, QUOTA = "ValidationException", "ServiceQuotaExceededException"
MISSING, CONFLICT = "ResourceNotFoundException", "ConflictException"


def start(base: dict[str, str]) -> Sandbox:
    """Return a sandbox with a store on the public index, and a team's repository in front of it."""
    sandbox = Sandbox(repository="store", base=base)
    sandbox.add_repository("team", upstreams=["store"])
    return sandbox


@pytest.fixture
def sandbox(clean_base: dict[str, str], public: FakePublicIndex) -> Iterator[Sandbox]:
    with start(clean_base | {"PIP_INDEX_URL": public.url}) as running:
        yield running


@pytest.fixture
def at(sandbox: Sandbox, http: Http) -> At:
    """Return a function from a repository's name to a client of it."""
    token = get_token(sandbox)
    return lambda name: RepositoryClient(http, sandbox.endpoint._replace(repository=name), token)


@pytest.fixture
def api(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    enter(sandbox, monkeypatch)
    return client()


def upstreams(*names: str) -> dict[str, Any]:
    return {"upstreams": [{"repositoryName": name} for name in names]}


def restrictions(publish: str, upstream: str) -> dict[str, Any]:
    return {"restrictions": {"publish": publish, "upstream": upstream}}


def test_domains_and_repositories_are_created_once_listed_and_deleted(
    api: Any, sandbox: Sandbox
) -> None:
    """An update replaces only what it names; a domain is deleted when it is empty."""
    fresh = {"domain": "fresh"}
    made = api.create_domain(**fresh)["domain"]
    assert (made["owner"], made["status"], made["arn"]) == (OWNER, "Active", f"{ARN}:domain/fresh")
    code, again = refused(api.create_domain, **fresh)
    assert (code, again["resourceId"], again["resourceType"]) == (CONFLICT, "fresh", "domain")
    sandbox.add_repository("far", domain="far", region="eu-west-1")
    assert [row["name"] for row in api.list_domains()["domains"]] == ["demo", "fresh"]
    first = {**fresh, "repository": "first"}
    given = {"description": "für alle", **upstreams("first")}
    api.create_repository(**first)
    changed = api.update_repository(**first, **given)["repository"]
    assert changed.items() >= given.items()
    assert changed["arn"] == f"{ARN}:repository/fresh/first"
    changed = api.update_repository(**first, upstreams=[])["repository"]
    assert (changed["upstreams"], changed["description"]) == ([], "für alle")
    assert refused(api.create_repository, **first)[1]["resourceType"] == "repository"
    described = api.describe_domain(**fresh, domainOwner=OWNER)["domain"]
    assert described == made | {"repositoryCount": 1}
    assert refused(api.delete_domain, **fresh)[0] == CONFLICT
    api.delete_repository(**first)
    assert api.delete_domain(**fresh)["domain"]["status"] == "Deleted"
    assert "domain" not in api.delete_domain(**fresh)
    assert refused(api.describe_domain, **fresh)[1]["resourceType"] == "domain"


def test_public_packages_are_there_while_the_repository_is_connected(
    api: Any, at: At, public: FakePublicIndex, tmp_path: Path
) -> None:
    public.add("pub", make_wheel(tmp_path, "pub", "1.0"))
    api.create_repository(**NEW)
    where = NEW | {"externalConnection": "public:pypi"}
    assert at("new").versions("pub") == set()
    made = api.associate_external_connection(**where)["repository"]["externalConnections"]
    assert [(row["externalConnectionName"], row["packageFormat"]) for row in made] == [
        ("public:pypi", "pypi")
    ]
    assert at("new").versions("pub") == {"1.0"}
    gone = api.disassociate_external_connection(**where)["repository"]
    assert (gone["externalConnections"], at("new").versions("pub")) == ([], set())
    assert refused(api.disassociate_external_connection, **where)[0] == MISSING


def test_repositories_are_listed_by_prefix_and_in_pages(api: Any, sandbox: Sandbox) -> None:
    for name in ("team-b", "team-a"):
        api.create_repository(**DEMO, repository=name)
    sandbox.add_repository("elsewhere", domain="other")
    pages = api.get_paginator("list_repositories_in_domain").paginate(
        **DEMO, repositoryPrefix="team", PaginationConfig={"PageSize": 2}
    )
    names = [[row["name"] for row in page["repositories"]] for page in pages]
    assert names == [["team", "team-a"], ["team-b"]]
    everywhere = [row["name"] for row in api.list_repositories()["repositories"]]
    assert everywhere == ["elsewhere", "store", "team", "team-a", "team-b"]


CREATE, UPDATE = "create_repository", "update_repository"
CONNECT, LIST = "associate_external_connection", "list_packages"
ORIGIN, GROUP = "put_package_origin_configuration", "create_package_group"
BLOCKED, FRONT = restrictions("ALLOW", "BLOCK"), NEW | upstreams("store")
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "pattern": (CREATE, NEW | {"repository": "-x"}, INVALID),
    "range": (LIST, HERE | {"maxResults": 1001}, INVALID),
    "enumeration": (LIST, HERE | {"format": "gem"}, INVALID),
    "made-up token": (LIST, HERE | {"nextToken": "x"}, INVALID),
    "unknown domain": (CREATE, NEW | {"domain": "nowhere"}, MISSING),
    "unknown upstream": (UPDATE, HERE | upstreams("nothing"), MISSING),
    "eleven upstreams": (UPDATE, HERE | upstreams(*["store"] * 11), QUOTA),
    "unknown connection": (CONNECT, STORE | {"externalConnection": "public:mine"}, INVALID),
    "second connection": (CONNECT, STORE | {"externalConnection": "public:npmjs"}, INVALID),
    "upstream of a connected one": (UPDATE, STORE | upstreams("team"), INVALID),
    "unknown package": ("describe_package", PACKAGE, MISSING),
    "no policy": ("get_repository_permissions_policy", HERE, MISSING),
    "not JSON": ("put_repository_permissions_policy", HERE | {"policyDocument": "x"}, INVALID),
    "pattern's end": (GROUP, DEMO | {"packageGroup": "/pypi//acme-*"}, INVALID),
    "second root": (GROUP, DEMO | {"packageGroup": "/*"}, CONFLICT),
    "unknown group": ("describe_package_group", DEMO | {"packageGroup": "/pypi//x$"}, MISSING),
    "unknown operation": ("dispose_package_versions", PACKAGE | {"versions": ["1"]}, INVALID),
}


@pytest.fixture(scope="module")
def steady(clean_base: dict[str, str]) -> Iterator[Sandbox]:
    """A sandbox in which nothing changes."""
    with start(clean_base) as running:
        yield running


@pytest.fixture(scope="module")
def steady_api(steady: Sandbox) -> Any:
    return client_of(steady, "codeartifact", steady.user)


@pytest.mark.parametrize("case", WRONG)
def test_requests_that_aws_refuses_change_nothing(steady_api: Any, case: str) -> None:
    operation, parameters, code = WRONG[case]
    before = steady_api.list_repositories()["repositories"]
    assert refused(getattr(steady_api, operation), **parameters)[0] == code
    assert steady_api.list_repositories()["repositories"] == before


# By action: an operation, its parameters and the resource that the refusal names.
DENIED: dict[str, tuple[str, dict[str, Any], str]] = {
    "AssociateWithDownstreamRepository": (CREATE, FRONT, "repository/demo/store"),
    "PutPackageOriginConfiguration": (ORIGIN, PACKAGE | BLOCKED, "package/demo/team/pypi//acme"),
    "ListDomains": ("list_domains", {}, "*"),
    "sts:GetServiceBearerToken": ("get_authorization_token", DEMO, "*"),
}


@pytest.mark.parametrize("action", DENIED)
def test_a_denied_action_and_its_resource_are_named_until_it_is_allowed(
    steady: Sandbox, steady_api: Any, action: str
) -> None:
    operation, parameters, resource = DENIED[action]
    whole = action if ":" in action else f"codeartifact:{action}"
    arn = resource if resource == "*" else f"{ARN}:{resource}"
    steady.deny(whole)
    code, response = refused(getattr(steady_api, operation), **parameters)
    says = f"perform: {whole} on resource: {arn} with an explicit deny"
    assert (code, says in response["Error"]["Message"]) == ("AccessDeniedException", True)
    steady.allow(whole)
    assert get_token(steady)


def test_packages_are_listed_by_filters_and_pages(api: Any, sandbox: Sandbox) -> None:
    sandbox.set_origin("acme-b", upstream="BLOCK")
    sandbox.set_origin("acme-a", publish="BLOCK")
    sandbox.set_origin("other")

    def names(**filters: Any) -> list[str]:
        return [row["package"] for row in api.list_packages(**STORE, **filters)["packages"]]

    assert names() == ["acme-a", "acme-b", "other"]
    assert names(format="pypi", packagePrefix="acme") == ["acme-a", "acme-b"]
    assert names(upstream="BLOCK") == ["acme-b"]
    assert names(publish="ALLOW", upstream="ALLOW") == ["other"]
    assert names(format="npm") == names(namespace="acme") == []
    token = api.list_packages(**STORE, maxResults=2)["nextToken"]
    assert names(maxResults=2, nextToken=token) == ["other"]
    assert refused(api.list_packages, **HERE, nextToken=token)[0] == INVALID


def test_versions_are_listed_with_their_origin(
    api: Any, sandbox: Sandbox, at: At, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Published versions are internal, downloaded ones external."""
    public.add("acme", make_wheel(tmp_path / "public", "acme", "1.5"))
    for version in ("1.0", "10.0", "9.0"):
        sandbox.publish(make_wheel(tmp_path, "acme", version))
    sandbox.set_origin("acme")
    assert at("store").download("acme", "1.5")
    where = PACKAGE | STORE
    answer = api.list_package_versions(**where)
    places = [(row["version"], row["origin"]["domainEntryPoint"]) for row in answer["versions"]]
    mine, theirs = {"repositoryName": "store"}, {"externalConnectionName": "public:pypi"}
    assert places == [("10.0", mine), ("9.0", mine), ("1.5", theirs), ("1.0", mine)]
    assert answer["defaultDisplayVersion"] == "1.5"
    for filters, expected in (
        ({"sortBy": "PUBLISHED_TIME"}, ["1.5", "9.0", "10.0", "1.0"]),
        ({"originType": "EXTERNAL", "status": "Published"}, ["1.5"]),
        ({"status": "Archived"}, []),
    ):
        rows = api.list_package_versions(**where, **filters)["versions"]
        assert [row["version"] for row in rows] == expected
    described = api.describe_package_version(**where, packageVersion="1.5")["packageVersion"]
    assert described["origin"]["domainEntryPoint"] == theirs


def test_an_uploaded_package_is_private_and_retained_where_it_is_downloaded(
    api: Any, sandbox: Sandbox, at: At, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, "acme", version) for version in ("1.0", "2.0")]
    assert [at("store").upload(wheel, name="Acme").status for wheel in wheels] == [200, 200]
    (listed,) = api.list_packages(**STORE)["packages"]
    assert (listed["package"], listed["originConfiguration"]) == ("acme", BLOCKED)
    assert at("team").versions("acme") == {"1.0", "2.0"}
    assert api.list_package_versions(**PACKAGE)["versions"] == []
    assert at("team").download("acme", "1.0") == wheels[0].read_bytes()
    (kept,) = api.list_package_versions(**PACKAGE)["versions"]
    assert (kept["version"], kept["origin"]["originType"]) == ("1.0", "INTERNAL")
    assert kept["origin"]["domainEntryPoint"] == {"repositoryName": "store"}
    sandbox.remove_repository(sandbox.endpoint)
    assert at("store").status("acme/") == 404
    assert at("team").versions("acme") == {"1.0"}
    assert at("team").download("acme", "1.0") == wheels[0].read_bytes()
    assert refused(api.describe_repository, **STORE)[1]["resourceType"] == "repository"
    with pytest.raises(SandboxError, match="Repository 'store' in domain"):
        sandbox.remove_repository(sandbox.endpoint)


def test_a_public_package_is_retained_at_both_ends(
    api: Any, sandbox: Sandbox, at: At, public: FakePublicIndex, tmp_path: Path
) -> None:
    """It stays in the repository that was asked and in the connected one, not between."""
    public.add("pub", make_wheel(tmp_path, "pub", "1.0"))
    sandbox.add_repository("front", upstreams=["team"])
    assert at("front").download("pub", "1.0")
    for name, kept in {"front": ["pub"], "team": [], "store": ["pub"]}.items():
        listed = api.list_packages(**DEMO, repository=name, publish="BLOCK")["packages"]
        assert [row["package"] for row in listed] == kept
    assert at("front").upload(make_wheel(tmp_path, "pub", "2.0")).status == 409


def test_the_nearest_repository_serves_a_version(
    api: Any, sandbox: Sandbox, at: At, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Upstreams are searched in order, depth first, and may form a circle."""
    wheels = {
        place: make_wheel(tmp_path / place, "acme", "1.0", modules={"acme.py": f"# {place}\n"})
        for place in ("below", "far")
    }
    below, far = sandbox.add_repository("below"), sandbox.add_repository("far")
    near = sandbox.add_repository("near", upstreams=["below"])
    front = sandbox.add_repository("front", upstreams=["near", "far", "team"])
    api.update_repository(**DEMO, repository="below", **upstreams("front"))
    for endpoint in (below, far, front, near):
        sandbox.set_origin("acme", endpoint=endpoint)
    public.add("acme", make_wheel(tmp_path / "public", "acme", "3.0"))
    sandbox.publish(wheels["far"], far)
    sandbox.publish(make_wheel(tmp_path / "far", "acme", "2.0"), far)
    sandbox.publish(wheels["below"], below)
    assert at("front").versions("acme") == {"1.0", "2.0", "3.0"}
    assert at("front").download("acme", "1.0") == wheels["below"].read_bytes()


def test_a_private_name_of_an_upstream_is_not_mixed_with_the_public_one(
    sandbox: Sandbox, at: At, public: FakePublicIndex, tmp_path: Path
) -> None:
    sandbox.publish(make_wheel(tmp_path, "acme", "1.0"))
    public.add("acme", make_wheel(tmp_path, "acme", "99.0"))
    assert [at(name).versions("acme") for name in ("team", "store")] == [{"1.0"}] * 2
    assert public.asked == []
    sandbox.set_origin("acme")
    assert at("team").versions("acme") == {"1.0", "99.0"}


PREFIX, EXACT, PYTHON = "/pypi//acme~", "/pypi//acme-core$", "/pypi/*"


def set_modes(api: Any, pattern: str, **modes: str) -> None:
    api.update_package_group_origin_configuration(**DEMO, packageGroup=pattern, restrictions=modes)


def make_group(api: Any, pattern: str, **modes: str) -> None:
    api.create_package_group(**DEMO, packageGroup=pattern)
    set_modes(api, pattern, **modes)


def describe_group(api: Any, pattern: str) -> Any:
    return api.describe_package_group(**DEMO, packageGroup=pattern)["packageGroup"]


def test_a_name_belongs_to_the_most_specific_group_which_inherits_modes(api: Any) -> None:
    make_group(api, PYTHON)
    make_group(api, PREFIX, EXTERNAL_UPSTREAM="BLOCK")
    make_group(api, EXACT)
    described = describe_group(api, EXACT)
    external, publish = (
        described["originConfiguration"]["restrictions"][name]
        for name in ("EXTERNAL_UPSTREAM", "PUBLISH")
    )
    assert (external["mode"], external["effectiveMode"]) == ("INHERIT", "BLOCK")
    assert external["inheritedFrom"]["pattern"] == described["parent"]["pattern"] == PREFIX
    assert (publish["effectiveMode"], publish["inheritedFrom"]["pattern"]) == ("ALLOW", "/*")
    for name, pattern in {"acme-core": EXACT, "acme-x": PREFIX, "acmex": PYTHON}.items():
        found = api.get_associated_package_group(**DEMO, format="pypi", package=name)
        assert found["packageGroup"]["pattern"] == pattern


def test_groups_are_changed_listed_and_deleted(api: Any) -> None:
    api.create_package_group(**DEMO, packageGroup=PREFIX, description="ours")
    make_group(api, EXACT)
    changed = api.update_package_group(**DEMO, packageGroup=PREFIX, contactInfo="me")
    assert changed["packageGroup"].items() >= {"description": "ours", "contactInfo": "me"}.items()
    listed = api.list_package_groups(**DEMO, prefix="/pypi")["packageGroups"]
    assert [group["pattern"] for group in listed] == [EXACT, PREFIX]
    api.delete_package_group(**DEMO, packageGroup=PREFIX)
    assert describe_group(api, EXACT)["parent"]["pattern"] == "/*"


def test_names_of_a_blocked_prefix_or_package_are_not_searched(
    api: Any, sandbox: Sandbox, at: At, public: FakePublicIndex, tmp_path: Path
) -> None:
    names = ("acme-core", "acme-x", "six")
    for name in names:
        public.add(name, make_wheel(tmp_path / "public", name, "1.0"))

    def served(where: str) -> list[str]:
        return [name for name in names if at(where).status(f"{name}/") == 200]

    make_group(api, EXACT, EXTERNAL_UPSTREAM="ALLOW")
    make_group(api, PREFIX, EXTERNAL_UPSTREAM="BLOCK")
    assert served("store") == served("team") == ["acme-core", "six"]
    set_modes(api, PREFIX, EXTERNAL_UPSTREAM="ALLOW", INTERNAL_UPSTREAM="BLOCK")
    assert served("store") == ["acme-core", "acme-x", "six"]
    assert served("team") == ["six"]
    set_modes(api, PREFIX, INTERNAL_UPSTREAM="ALLOW")
    team = sandbox.endpoint._replace(repository="team")
    sandbox.set_origin("acme-x", upstream="BLOCK", endpoint=team)
    assert served("team") == ["acme-core", "six"]
