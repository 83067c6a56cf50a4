"""The sandbox's control plane, as botocore and the AWS CLI meet it, and its faults."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support.sandbox import (
    JSON,
    FakePublicIndex,
    Http,
    ask,
    client,
    client_of,
    enter,
    get_token,
    upload,
)

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

pytestmark = pytest.mark.wide

OWNER = "123456789012"
ARN = f"arn:aws:codeartifact:us-east-1:{OWNER}"
HERE = {"domain": "demo", "repository": "team"}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": "codeartifact:ReadFromRepository",
                "Resource": "*",
            }
        ],
    }
)


# --- what the tests stand on -------------------------------------------------------------


@pytest.fixture
def sandbox(clean_base: dict[str, str], public: FakePublicIndex) -> Iterator[Sandbox]:
    """A store with the external connection, and before it a repository of the team's."""
    base = clean_base | {"PIP_INDEX_URL": public.url}
    with Sandbox(repository="store", base=base) as running:
        running.add_repository("team", upstreams=["store"])
        yield running


@pytest.fixture
def team(sandbox: Sandbox) -> RepositoryEndpoint:
    return sandbox.endpoint._replace(repository="team")


@pytest.fixture
def api(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    enter(sandbox, monkeypatch)
    return client()


def refusal(api: Any, operation: str, **parameters: Any) -> dict[str, Any]:
    """Call an operation that is refused, and return the error as botocore has it."""
    with pytest.raises(ClientError) as caught:
        getattr(api, operation)(**parameters)
    response: dict[str, Any] = caught.value.response
    return response


def code_and_status(response: Mapping[str, Any]) -> tuple[str, int]:
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def versions_on_page(
    sandbox: Sandbox, http: Http, endpoint: RepositoryEndpoint, name: str
) -> set[str]:
    """Return the versions on a package's page; none where the answer is 404."""
    url = f"{endpoint.simple_url}{name}/"
    answer = http(url, get_token(sandbox), headers={"Accept": JSON})
    return set(answer.json()["versions"]) if answer.status == 200 else set()


def download(
    sandbox: Sandbox, http: Http, endpoint: RepositoryEndpoint, name: str, version: str
) -> bytes:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    url = f"{endpoint.simple_url}{name}/{version}/{filename}"
    answer = http(url, get_token(sandbox))
    return answer.data if answer.status == 200 else b""


def restrictions(publish: str, upstream: str) -> dict[str, Any]:
    return {"restrictions": {"publish": publish, "upstream": upstream}}


# --- domains and repositories ------------------------------------------------------------


def test_a_domain_is_made_once(api: Any) -> None:
    """A new domain is the caller's own, and can be described, used and not made again."""
    made = api.create_domain(domain="fresh")["domain"]
    assert (made["name"], made["owner"], made["status"]) == ("fresh", OWNER, "Active")
    assert made["arn"] == f"{ARN}:domain/fresh"
    assert abs(datetime.now(timezone.utc) - made["createdTime"]) < timedelta(seconds=10)
    api.create_repository(domain="fresh", repository="first")
    described = api.describe_domain(domain="fresh", domainOwner=OWNER)["domain"]
    assert described == made | {"repositoryCount": 1}
    again = refusal(api, "create_domain", domain="fresh")
    assert code_and_status(again) == ("ConflictException", 409)
    assert (again["resourceId"], again["resourceType"]) == ("fresh", "domain")


def test_an_account_has_ten_domains(api: Any) -> None:
    """The eleventh domain is one too many, and says so with 402."""
    for number in range(9):
        api.create_domain(domain=f"more-{number}")
    refused = refusal(api, "create_domain", domain="another")
    assert code_and_status(refused) == ("ServiceQuotaExceededException", 402)


def test_a_domain_goes_when_it_is_empty(api: Any) -> None:
    """A domain with repositories stays; an empty one goes, and going twice is no error."""
    api.create_domain(domain="fresh")
    api.create_repository(domain="fresh", repository="first")
    refused = refusal(api, "delete_domain", domain="fresh")
    assert code_and_status(refused) == ("ConflictException", 409)
    api.delete_repository(domain="fresh", repository="first")
    assert api.delete_domain(domain="fresh")["domain"]["status"] == "Deleted"
    assert "domain" not in api.delete_domain(domain="fresh")
    assert refusal(api, "describe_domain", domain="fresh")["resourceType"] == "domain"


def test_domains_come_in_pages(api: Any, sandbox: Sandbox) -> None:
    """A paginator sees each domain of the account and region once, and nobody else's."""
    for name in ("beta", "alpha"):
        api.create_domain(domain=name)
    sandbox.add_repository("theirs", domain="theirs", owner="0" * 12)
    sandbox.add_repository("far", domain="far", region="eu-west-1")
    pages = api.get_paginator("list_domains").paginate(PaginationConfig={"PageSize": 2})
    names = [[domain["name"] for domain in page["domains"]] for page in pages]
    assert names == [["alpha", "beta"], ["demo"]]


def test_a_repository_is_made_once(api: Any) -> None:
    """A new repository has what it was made with, and is not made again."""
    made = api.create_repository(
        domain="demo",
        repository="new.repo",
        description="für alle",
        upstreams=[{"repositoryName": "team"}, {"repositoryName": "store"}],
        tags=[{"key": "a", "value": "b"}],
    )["repository"]
    assert made.pop("createdTime")
    assert made == {
        "name": "new.repo",
        "administratorAccount": OWNER,
        "domainName": "demo",
        "domainOwner": OWNER,
        "arn": f"{ARN}:repository/demo/new.repo",
        "description": "für alle",
        "upstreams": [{"repositoryName": "team"}, {"repositoryName": "store"}],
        "externalConnections": [],
    }
    described = api.describe_repository(domain="demo", repository="new.repo")["repository"]
    assert described["upstreams"] == made["upstreams"]
    again = refusal(api, "create_repository", domain="demo", repository="new.repo")
    assert code_and_status(again) == ("ConflictException", 409)
    assert (again["resourceId"], again["resourceType"]) == ("new.repo", "repository")


def test_an_update_replaces_what_it_names(api: Any) -> None:
    """Upstreams are replaced as a whole, an empty list clears them, and what is not sent stays."""
    described = api.update_repository(**HERE, description="ours")["repository"]
    assert described["upstreams"] == [{"repositoryName": "store"}]
    api.create_repository(domain="demo", repository="other")
    api.update_repository(**HERE, upstreams=[{"repositoryName": "other"}])
    described = api.describe_repository(**HERE)["repository"]
    assert described["upstreams"] == [{"repositoryName": "other"}]
    assert described["description"] == "ours"
    assert api.update_repository(**HERE, upstreams=[])["repository"]["upstreams"] == []


def test_an_external_connection_comes_and_goes(
    api: Any, sandbox: Sandbox, http: Http, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Public packages are there exactly while the repository has the connection to PyPI."""
    public.add("pub", make_wheel(tmp_path, "pub", "1.0"))
    api.create_repository(domain="demo", repository="plain")
    plain = sandbox.endpoint._replace(repository="plain")
    where = {"domain": "demo", "repository": "plain", "externalConnection": "public:pypi"}
    assert versions_on_page(sandbox, http, plain, "pub") == set()
    unknown = where | {"externalConnection": "public:mine"}
    refused = refusal(api, "associate_external_connection", **unknown)
    assert code_and_status(refused) == ("ValidationException", 400)
    (connection,) = api.associate_external_connection(**where)["repository"]["externalConnections"]
    assert connection["externalConnectionName"] == "public:pypi"
    assert connection["packageFormat"] == "pypi"
    assert connection["status"].lower() == "available"
    assert versions_on_page(sandbox, http, plain, "pub") == {"1.0"}
    gone = api.disassociate_external_connection(**where)["repository"]
    assert gone["externalConnections"] == []
    assert versions_on_page(sandbox, http, plain, "pub") == set()
    again = refusal(api, "disassociate_external_connection", **where)
    assert code_and_status(again) == ("ResourceNotFoundException", 404)


def test_repositories_are_listed(api: Any, sandbox: Sandbox) -> None:
    """Lists hold what the domain or the account has, by prefix and in pages."""
    for name in ("team-b", "team-a"):
        api.create_repository(domain="demo", repository=name)
    sandbox.add_repository("elsewhere", domain="other")
    pages = api.get_paginator("list_repositories_in_domain").paginate(
        domain="demo", repositoryPrefix="team", PaginationConfig={"PageSize": 2}
    )
    names = [[each["name"] for each in page["repositories"]] for page in pages]
    assert names == [["team", "team-a"], ["team-b"]]
    everywhere = api.list_repositories()["repositories"]
    assert [(each["domainName"], each["name"]) for each in everywhere] == [
        ("other", "elsewhere"),
        ("demo", "store"),
        ("demo", "team"),
        ("demo", "team-a"),
        ("demo", "team-b"),
    ]
    nobody = {"domain": "demo", "administratorAccount": "0" * 12}
    assert api.list_repositories_in_domain(**nobody)["repositories"] == []


def test_a_repository_can_be_removed(
    sandbox: Sandbox, http: Http, team: RepositoryEndpoint
) -> None:
    """A removed repository is gone for clients and for the API, and cannot be removed again."""
    token = get_token(sandbox)
    sandbox.remove_repository(team)
    assert http(f"{team.simple_url}acme/", token).status == 404
    answer = ask(sandbox, "GET", "/v1/repository?domain=demo&repository=team")
    assert (answer.status, answer.json()["resourceType"]) == (404, "repository")
    with pytest.raises(SandboxError, match="Repository 'team' in domain"):
        sandbox.remove_repository(team)


STORE = {"domain": "demo", "repository": "store"}
NEW = {"domain": "demo", "repository": "new"}
PACKAGE = {**HERE, "format": "pypi", "package": "acme"}
WRONG: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "domain name": ("create_domain", {"domain": "Bad_Name"}, "ValidationException", 400),
    "long domain name": ("create_domain", {"domain": "a" * 51}, "ValidationException", 400),
    "repository name": (
        "create_repository",
        NEW | {"repository": "-x"},
        "ValidationException",
        400,
    ),
    "description": ("create_repository", NEW | {"description": "a\tb"}, "ValidationException", 400),
    "long description": (
        "create_repository",
        NEW | {"description": "a" * 1001},
        "ValidationException",
        400,
    ),
    "upstream's name": (
        "create_repository",
        NEW | {"upstreams": [{"repositoryName": "x/y"}]},
        "ValidationException",
        400,
    ),
    "unknown domain": (
        "create_repository",
        NEW | {"domain": "nowhere"},
        "ResourceNotFoundException",
        404,
    ),
    "unknown upstream": (
        "update_repository",
        HERE | {"upstreams": [{"repositoryName": "nothing"}]},
        "ResourceNotFoundException",
        404,
    ),
    "eleven upstreams": (
        "update_repository",
        HERE | {"upstreams": [{"repositoryName": "store"}] * 11},
        "ServiceQuotaExceededException",
        402,
    ),
    "second connection": (
        "associate_external_connection",
        STORE | {"externalConnection": "public:npmjs"},
        "ValidationException",
        400,
    ),
    "connection next to upstreams": (
        "associate_external_connection",
        HERE | {"externalConnection": "public:pypi"},
        "ValidationException",
        400,
    ),
    "upstreams next to a connection": (
        "update_repository",
        STORE | {"upstreams": [{"repositoryName": "team"}]},
        "ValidationException",
        400,
    ),
    "unknown repository": (
        "describe_repository",
        HERE | {"repository": "nothing"},
        "ResourceNotFoundException",
        404,
    ),
    "too long a page": ("list_packages", HERE | {"maxResults": 1001}, "ValidationException", 400),
    "made-up token": ("list_packages", HERE | {"nextToken": "x"}, "ValidationException", 400),
    "unknown format": ("list_packages", HERE | {"format": "gem"}, "ValidationException", 400),
    "unknown control": ("list_packages", HERE | {"publish": "YES"}, "ValidationException", 400),
    "unknown package": ("describe_package", PACKAGE, "ResourceNotFoundException", 404),
    "another format": (
        "put_package_origin_configuration",
        PACKAGE | {"format": "npm", **restrictions("ALLOW", "BLOCK")},
        "ResourceNotFoundException",
        404,
    ),
    "unknown restriction": (
        "put_package_origin_configuration",
        PACKAGE | restrictions("ALLOW", "NO"),
        "ValidationException",
        400,
    ),
    "no policy": ("get_repository_permissions_policy", HERE, "ResourceNotFoundException", 404),
    "no JSON": (
        "put_repository_permissions_policy",
        HERE | {"policyDocument": "allow"},
        "ValidationException",
        400,
    ),
    "old revision": (
        "put_repository_permissions_policy",
        HERE | {"policyDocument": POLICY, "policyRevision": "x"},
        "ConflictException",
        409,
    ),
}


@pytest.fixture(scope="module")
def refusing(clean_base: dict[str, str]) -> Iterator[Any]:
    """A client of a sandbox in which nothing ever changes."""
    with Sandbox(repository="store", base=clean_base) as running:
        running.add_repository("team", upstreams=["store"])
        yield client_of(running, "codeartifact", running.user)


@pytest.mark.parametrize("case", WRONG)
def test_what_aws_refuses_is_refused(refusing: Any, case: str) -> None:
    """Names, limits and rules that a client does not check itself are the service's to check."""
    operation, parameters, code, status = WRONG[case]
    before = refusing.list_repositories()["repositories"]
    assert code_and_status(refusal(refusing, operation, **parameters)) == (code, status)
    assert refusing.list_repositories()["repositories"] == before


def test_a_body_is_signed(sandbox: Sandbox) -> None:
    """A body that was changed on its way is refused, and so is one that is no JSON."""
    path = "/v1/repository?domain=demo&repository=new"
    ours, theirs = b'{"description": "ours"}', b'{"description": "evil"}'
    answer = ask(sandbox, "POST", path, body=ours, body_instead=theirs)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    answer = ask(sandbox, "POST", path, body=b"[1]")
    assert (answer.status, answer.json()["reason"]) == (400, "CANNOT_PARSE")
    assert ask(sandbox, "POST", path, body=ours).json()["repository"]["description"] == "ours"


# Operations on each kind of resource, what they take, and the resource that they are refused on.
TASKS: dict[str, tuple[dict[str, Any], str]] = {
    "create_domain": ({"domain": "fresh"}, "domain/fresh"),
    "put_domain_permissions_policy": ({"domain": "demo", "policyDocument": POLICY}, "domain/demo"),
    "create_repository": (NEW, "repository/demo/new"),
    "list_packages": (HERE, "repository/demo/team"),
    "put_package_origin_configuration": (
        PACKAGE | restrictions("ALLOW", "BLOCK"),
        "package/demo/team/pypi//acme",
    ),
    "list_domains": ({}, "*"),
}


def test_a_denied_operation_names_its_resource(api: Any, sandbox: Sandbox) -> None:
    """A denied operation is refused in AWS's words, with its action and its resource."""
    for operation, (parameters, resource) in TASKS.items():
        action = f"codeartifact:{api.meta.method_to_api_mapping[operation]}"
        sandbox.deny(action)
        refused = refusal(api, operation, **parameters)
        arn = resource if resource == "*" else f"{ARN}:{resource}"
        assert code_and_status(refused) == ("AccessDeniedException", 403)
        assert (
            f"perform: {action} on resource: {arn} with an explicit deny"
            in refused["Error"]["Message"]
        )


def test_an_upstream_can_be_denied(api: Any, sandbox: Sandbox) -> None:
    """To put a repository before another is an action on the other one."""
    sandbox.deny("codeartifact:AssociateWithDownstreamRepository")
    refused = refusal(api, "create_repository", **NEW, upstreams=[{"repositoryName": "store"}])
    assert code_and_status(refused) == ("AccessDeniedException", 403)
    assert (
        f"on resource: {ARN}:repository/demo/store with an explicit deny"
        in refused["Error"]["Message"]
    )


@pytest.mark.parametrize(("kind", "where"), [("domain", {"domain": "demo"}), ("repository", HERE)])
def test_a_policy_is_kept_by_revision(api: Any, kind: str, where: dict[str, str]) -> None:
    """A policy comes back as it was put, each with a new revision, until it is deleted."""
    put, get, delete = (
        getattr(api, f"{verb}_{kind}_permissions_policy") for verb in ("put", "get", "delete")
    )
    first = put(**where, policyDocument=POLICY)["policy"]
    assert first["document"] == POLICY
    assert first["resourceArn"].startswith(f"{ARN}:{kind}/demo")
    assert get(**where)["policy"] == first
    second = put(**where, policyDocument=POLICY, policyRevision=first["revision"])["policy"]
    assert second["revision"] != first["revision"]
    name = f"delete_{kind}_permissions_policy"
    stale = refusal(api, name, **where, policyRevision=first["revision"])
    assert code_and_status(stale) == ("ConflictException", 409)
    assert delete(**where, policyRevision=second["revision"])["policy"] == second
    missing = refusal(api, f"get_{kind}_permissions_policy", **where)
    assert code_and_status(missing) == ("ResourceNotFoundException", 404)
    assert missing["resourceType"] == kind


def test_another_accounts_domain_opens(sandbox: Sandbox, http: Http, tmp_path: Path) -> None:
    """Another account's user makes a domain, of which everybody in the sandbox gets a token."""
    theirs = client_of(sandbox, "codeartifact", sandbox.administrator("111122223333"))
    assert theirs.create_domain(domain="theirs")["domain"]["owner"] == "111122223333"
    theirs.create_repository(domain="theirs", repository="shared")
    theirs.close()
    shared = endpoint_for(Domain("theirs", "111122223333", "us-east-1"), "shared")
    sandbox.publish(make_wheel(tmp_path, "acme-shared", "1.0"), shared)
    assert versions_on_page(sandbox, http, shared, "acme-shared") == set()  # its token is demo's
    url = f"{shared.simple_url}acme-shared/"
    assert http(url, get_token(sandbox, shared)).status == 200


# --- packages ----------------------------------------------------------------------------


def test_packages_are_listed_by_filters_and_pages(api: Any, sandbox: Sandbox) -> None:
    """A list holds the repository's own packages by name, as the filters say, page by page."""
    for name, publish, upstream in [
        ("acme-b", "ALLOW", "BLOCK"),
        ("acme-a", "BLOCK", "ALLOW"),
        ("other", "ALLOW", "ALLOW"),
    ]:
        sandbox.set_origin(name, publish=publish, upstream=upstream)

    def names(**filters: Any) -> list[str]:
        listed = api.list_packages(**STORE, **filters)["packages"]
        return [package["package"] for package in listed]

    assert names() == ["acme-a", "acme-b", "other"]
    assert names(format="pypi", packagePrefix="acme") == ["acme-a", "acme-b"]
    assert names(upstream="BLOCK") == ["acme-b"]
    assert names(publish="ALLOW", upstream="ALLOW") == ["other"]
    assert names(format="npm") == names(namespace="acme") == []
    assert api.list_packages(**HERE)["packages"] == []
    first = api.list_packages(**STORE, maxResults=2)
    assert first["packages"][0] == {
        "format": "pypi",
        "package": "acme-a",
        "originConfiguration": restrictions("BLOCK", "ALLOW"),
    }
    rest = api.list_packages(**STORE, maxResults=2, nextToken=first["nextToken"])
    assert [package["package"] for package in rest["packages"]] == ["other"]
    assert "nextToken" not in rest
    foreign = refusal(api, "list_packages", **HERE, nextToken=first["nextToken"])
    assert code_and_status(foreign) == ("ValidationException", 400)


def test_versions_say_where_they_come_from(
    api: Any, sandbox: Sandbox, http: Http, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Published versions are internal, downloaded ones external; both can be asked for alone."""
    public.add("acme", make_wheel(tmp_path / "public", "acme", "1.5"))
    for version in ("1.0", "10.0", "9.0"):
        sandbox.publish(make_wheel(tmp_path, "acme", version))
    sandbox.set_origin("acme")
    assert download(sandbox, http, sandbox.endpoint, "acme", "1.5")
    where = STORE | {"format": "pypi", "package": "acme"}

    def versions(**filters: Any) -> list[str]:
        listed = api.list_package_versions(**where, **filters)["versions"]
        return [version["version"] for version in listed]

    assert versions() == ["10.0", "9.0", "1.5", "1.0"]
    assert versions(sortBy="PUBLISHED_TIME") == ["1.5", "9.0", "10.0", "1.0"]
    assert versions(originType="INTERNAL") == ["10.0", "9.0", "1.0"]
    assert versions(originType="EXTERNAL", status="Published") == ["1.5"]
    assert versions(status="Archived") == versions(originType="UNKNOWN") == []
    pages = api.get_paginator("list_package_versions").paginate(
        **where, sortBy="PUBLISHED_TIME", PaginationConfig={"PageSize": 3}
    )
    assert [len(page["versions"]) for page in pages] == [3, 1]
    answer = api.list_package_versions(**where)
    assert (answer["package"], answer["defaultDisplayVersion"]) == ("acme", "1.5")
    origins = {version["version"]: version["origin"] for version in answer["versions"]}
    assert origins["9.0"]["domainEntryPoint"] == {"repositoryName": "store"}
    assert origins["1.5"]["domainEntryPoint"] == {"externalConnectionName": "public:pypi"}
    described = api.describe_package_version(**where, packageVersion="1.5")["packageVersion"]
    assert described["origin"] == origins["1.5"]
    assert (described["packageName"], described["status"]) == ("acme", "Published")
    missing = refusal(api, "describe_package_version", **where, packageVersion="2.0")
    assert (missing["resourceId"], missing["resourceType"]) == ("2.0", "package-version")


def test_a_package_is_asked_for_by_its_normalised_name(
    api: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The API knows a package in the repository that holds it, under its normalised name alone."""
    sandbox.publish(make_wheel(tmp_path, "Acme.Tool", "1.0"))
    where = STORE | {"format": "pypi"}
    described = api.describe_package(**where, package="acme-tool")["package"]
    assert described == {
        "format": "pypi",
        "name": "acme-tool",
        "originConfiguration": restrictions("ALLOW", "BLOCK"),
    }
    missing = refusal(api, "describe_package", **where, package="Acme.Tool")
    assert "packageType=pypi, packageName=Acme.Tool" in missing["Error"]["Message"]
    elsewhere = refusal(api, "describe_package", **HERE, format="pypi", package="acme-tool")
    assert code_and_status(elsewhere) == ("ResourceNotFoundException", 404)


def test_a_name_can_be_reserved(
    api: Any,
    sandbox: Sandbox,
    http: Http,
    team: RepositoryEndpoint,
    public: FakePublicIndex,
    tmp_path: Path,
) -> None:
    """A name whose upstreams are blocked is looked for nowhere, even before it has a version."""
    public.add("acme", make_wheel(tmp_path, "acme", "99.0"))
    put = api.put_package_origin_configuration(**PACKAGE, **restrictions("ALLOW", "BLOCK"))
    assert put["originConfiguration"] == restrictions("ALLOW", "BLOCK")
    assert versions_on_page(sandbox, http, team, "acme") == set()
    assert public.asked == []
    assert api.list_package_versions(**PACKAGE)["versions"] == []
    # The other repository has not reserved it.
    assert versions_on_page(sandbox, http, sandbox.endpoint, "acme") == {"99.0"}
    wheel = make_wheel(tmp_path, "acme-new", "1.0")
    sandbox.set_origin("Acme_New", publish="BLOCK", endpoint=team)
    assert upload(http, team, get_token(sandbox), wheel) == 409
    sandbox.set_origin("acme-new", endpoint=team)
    assert upload(http, team, get_token(sandbox), wheel) == 200


def test_an_upload_makes_a_name_private(
    api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint, tmp_path: Path
) -> None:
    """The first upload of a name blocks its upstreams, and leaves publishing allowed."""
    for version in ("1.0", "2.0"):
        wheel = make_wheel(tmp_path, "acme-new", version)
        assert upload(http, team, get_token(sandbox), wheel, version=version) == 200
    (listed,) = api.list_packages(**HERE)["packages"]
    assert listed["originConfiguration"] == restrictions("ALLOW", "BLOCK")


# --- upstreams ---------------------------------------------------------------------------


def test_a_package_of_an_upstream_is_served_and_retained(
    api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint, tmp_path: Path
) -> None:
    """What the store holds is served by the team's repository, which keeps what was downloaded."""
    wheels = [make_wheel(tmp_path, "acme", version) for version in ("1.0", "2.0")]
    for wheel in wheels:
        sandbox.publish(wheel)
    assert versions_on_page(sandbox, http, team, "acme") == {"1.0", "2.0"}
    assert api.list_package_versions(**PACKAGE)["versions"] == []
    assert download(sandbox, http, team, "acme", "1.0") == wheels[0].read_bytes()
    (kept,) = api.list_package_versions(**PACKAGE)["versions"]
    assert kept["version"] == "1.0"
    assert kept["origin"] == {
        "originType": "INTERNAL",
        "domainEntryPoint": {"repositoryName": "store"},
    }
    sandbox.remove_repository(sandbox.endpoint)
    assert versions_on_page(sandbox, http, team, "acme") == {"1.0"}
    assert download(sandbox, http, team, "acme", "1.0") == wheels[0].read_bytes()


def test_a_public_package_is_retained_at_both_ends(
    api: Any, sandbox: Sandbox, http: Http, public: FakePublicIndex, tmp_path: Path
) -> None:
    """A public package stays where it was asked for and where the connection is, not between."""
    public.add("pub", make_wheel(tmp_path, "pub", "1.0"))
    front = sandbox.add_repository("front", upstreams=["team"])
    assert versions_on_page(sandbox, http, front, "pub") == {"1.0"}
    assert download(sandbox, http, front, "pub", "1.0")
    kept = {}
    for name in ("front", "team", "store"):
        listed = api.list_packages(domain="demo", repository=name)["packages"]
        kept[name] = [package["originConfiguration"] for package in listed]
    fetched = [restrictions("BLOCK", "ALLOW")]
    assert kept == {"front": fetched, "team": [], "store": fetched}
    assert (
        upload(
            http,
            front,
            get_token(sandbox),
            make_wheel(tmp_path, "pub", "2.0"),
            name="pub",
            version="2.0",
        )
        == 409
    )


def test_a_page_that_was_read_makes_a_package_known(
    api: Any, sandbox: Sandbox, http: Http, public: FakePublicIndex, tmp_path: Path
) -> None:
    """A public name is listed once its page was read; a name that is nowhere never is."""
    public.add("pub", make_wheel(tmp_path, "pub", "1.0"))
    for name in ("pub", "nowhere"):
        versions_on_page(sandbox, http, sandbox.endpoint, name)
    listed = api.list_packages(**STORE)["packages"]
    assert [package["package"] for package in listed] == ["pub"]


def test_the_nearest_repository_wins(
    sandbox: Sandbox, http: Http, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Upstreams are searched in order, depth first; the first that has a version gives it."""
    places = ("near", "below", "far")
    wheels = {
        place: make_wheel(tmp_path / place, "acme", "1.0", modules={"acme.py": f"# {place}\n"})
        for place in places
    }
    below = sandbox.add_repository("below")
    sandbox.add_repository("near", upstreams=["below"])
    far = sandbox.add_repository("far")
    front = sandbox.add_repository("front", upstreams=["near", "far", "team"])
    for endpoint in (below, far, front, front._replace(repository="near")):
        sandbox.set_origin("acme", endpoint=endpoint)
    public.add("acme", make_wheel(tmp_path / "public", "acme", "3.0"))
    sandbox.publish(wheels["far"], far)
    sandbox.publish(make_wheel(tmp_path / "far", "acme", "2.0"), far)
    sandbox.publish(wheels["below"], below)
    assert versions_on_page(sandbox, http, front, "acme") == {"1.0", "2.0", "3.0"}
    assert download(sandbox, http, front, "acme", "1.0") == wheels["below"].read_bytes()


def test_a_blocked_upstream_in_between_ends_the_way(
    sandbox: Sandbox,
    http: Http,
    team: RepositoryEndpoint,
    public: FakePublicIndex,
    tmp_path: Path,
) -> None:
    """A private name of the store is never mixed with the public one, whoever asks."""
    sandbox.publish(make_wheel(tmp_path, "acme", "1.0"))
    public.add("acme", make_wheel(tmp_path, "acme", "99.0"))
    assert versions_on_page(sandbox, http, team, "acme") == {"1.0"}
    sandbox.set_origin("acme")
    assert versions_on_page(sandbox, http, team, "acme") == {"1.0", "99.0"}


def test_twenty_five_upstreams_are_searched(sandbox: Sandbox, http: Http, tmp_path: Path) -> None:
    """A package is found in the twenty-fifth upstream, and not in the one behind it."""
    endpoints = [sandbox.add_repository("chain-26")]
    for number in range(25, -1, -1):
        endpoints.insert(
            0, sandbox.add_repository(f"chain-{number:02}", upstreams=[f"chain-{number + 1:02}"])
        )
    for name, place in (("last", 25), ("behind", 26)):
        sandbox.publish(make_wheel(tmp_path, name, "1.0"), endpoints[place])
    assert versions_on_page(sandbox, http, endpoints[0], "last") == {"1.0"}
    assert versions_on_page(sandbox, http, endpoints[0], "behind") == set()
    assert versions_on_page(sandbox, http, endpoints[1], "behind") == {"1.0"}


def test_a_circle_of_upstreams_ends(
    api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint, tmp_path: Path
) -> None:
    """Repositories that are each other's upstreams are searched once each, and then the next."""
    behind = sandbox.add_repository("behind")
    sandbox.publish(make_wheel(tmp_path, "acme", "1.0"), behind)
    api.create_repository(**NEW, upstreams=[{"repositoryName": "team"}])
    around = [{"repositoryName": "new"}, {"repositoryName": "behind"}]
    api.update_repository(**HERE, upstreams=around)
    assert versions_on_page(sandbox, http, team, "acme") == {"1.0"}
    assert versions_on_page(sandbox, http, team, "nothing") == set()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"upstreams": ["nothing"]}, "Repository 'nothing' in domain 'demo'"),
        ({"upstreams": ["store"], "upstream": True}, "upstreams and an external connection"),
        ({"upstreams": ["store"] * 11}, "at most 10 direct upstreams"),
    ],
)
def test_add_repository_rejects_invalid_upstreams_with_a_hint(
    sandbox: Sandbox, given: dict[str, Any], says: str
) -> None:
    """What the API would refuse, the Python method refuses, too, with a next step."""
    with pytest.raises(SandboxError, match=says) as caught:
        sandbox.add_repository("new", **given)
    assert caught.value.hint


# --- the AWS CLI -------------------------------------------------------------------------


# --- faults ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_package_endpoint_can_fail(sandbox: Sandbox, http: Http, status: int) -> None:
    """The next requests, as many as asked for, get the status; the API goes on, then all is well."""
    token, url = get_token(sandbox), f"{sandbox.endpoint.simple_url}acme/"
    sandbox.set_origin("acme", upstream="BLOCK")
    sandbox.fault(status, times=2)
    assert [http(url, token).status for _ in range(3)] == [status, status, 404]
    sandbox.fault(status)
    assert {http(url, token).status for _ in range(3)} == {status}
    assert get_token(sandbox)
    sandbox.heal()
    assert http(url, token).status == 404


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalServerException"), (429, "ThrottlingException"), (503, "503")],
)
def test_the_api_can_fail(api: Any, sandbox: Sandbox, status: int, code: str) -> None:
    """The API fails with the service's own error, or with a bare status where it has none."""
    sandbox.fault(status, on="api")
    for _ in range(2):
        assert code_and_status(refusal(api, "list_domains")) == (code, status)
    sandbox.heal()
    assert api.list_domains()["domains"]
    statuses = [record.status for record in sandbox.requests if record.name == "ListDomains"]
    assert statuses == [status, status, 200]


def test_a_policy_can_bound_the_duration(api: Any, sandbox: Sandbox) -> None:
    """A longer token than the policy allows is denied as the bearer token's permission; 0 is none."""
    sandbox.maximum_duration = 3600
    assert api.get_authorization_token(domain="demo", durationSeconds=3600)["authorizationToken"]
    for asked in ({}, {"durationSeconds": 3601}):
        refused = refusal(api, "get_authorization_token", domain="demo", **asked)
        assert code_and_status(refused) == ("AccessDeniedException", 403)
        assert "perform: sts:GetServiceBearerToken on" in refused["Error"]["Message"]
    assert api.get_authorization_token(domain="demo", durationSeconds=0)["authorizationToken"]
    sandbox.maximum_duration = None
    assert api.get_authorization_token(domain="demo")["authorizationToken"]


@pytest.mark.parametrize(
    ("seconds", "says"), [(360, "Signature expired: "), (-360, "Signature not yet current: ")]
)
def test_the_clocks_can_disagree(
    api: Any, sandbox: Sandbox, http: Http, seconds: int, says: str
) -> None:
    """More than five minutes off, signatures are refused, and every answer has AWS's own date."""
    sandbox.clock_offset = seconds
    refused = refusal(api, "get_authorization_token", domain="demo")
    assert code_and_status(refused) == ("InvalidSignatureException", 403)
    assert refused["Error"]["Message"].startswith(says)
    proxy = sandbox.environ()["HTTPS_PROXY"]
    dates = [
        refused["ResponseMetadata"]["HTTPHeaders"]["date"],
        http(f"{sandbox.endpoint.simple_url}acme/").headers["Date"],
        http(proxy).headers["Date"],
    ]
    shifted = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    for date in dates:
        assert abs(parsedate_to_datetime(date) - shifted) < timedelta(seconds=20)
    sandbox.clock_offset = 0
    assert api.get_authorization_token(domain="demo")["authorizationToken"]


def test_tokens_live_by_the_services_clock(sandbox: Sandbox, http: Http) -> None:
    """A token is issued and ends by the same clock as all else."""
    sandbox.clock_offset = 200
    path = "/v1/authorization-token?domain=demo&duration=900"
    answer = ask(sandbox, "POST", path).json()
    shifted = datetime.now(timezone.utc) + timedelta(seconds=1100)
    assert abs(answer["expiration"] - shifted.timestamp()) < 20
    url = f"{sandbox.endpoint.simple_url}nothing/"
    assert http(url, answer["authorizationToken"]).status == 404
    sandbox.clock_offset = 1200
    assert http(url, answer["authorizationToken"]).status == 401
