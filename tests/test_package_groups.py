"""Package groups: which names they cover, and what they let into repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support.sandbox import Http, client, enter, get_token, upload

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

pytestmark = pytest.mark.wide

DOMAIN = {"domain": "demo"}
PREFIX, EXACT, PYTHON = "/pypi//acme-~", "/pypi//acme-core$", "/pypi/*"


@pytest.fixture
def sandbox(tmp_path: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    """A store with public acme-core, acme-x and six; a team's repository has it as upstream."""
    for name in ("acme-core", "acme-x", "six"):
        make_wheel(tmp_path / "public", name, "1.0")
    public = tmp_path / "public"
    with Sandbox(repository="store", public=public, base=clean_base) as running:
        yield running


@pytest.fixture
def team(sandbox: Sandbox) -> RepositoryEndpoint:
    return sandbox.add_repository("team", upstreams=["store"])


@pytest.fixture
def api(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    enter(sandbox, monkeypatch)
    service = client()
    yield service
    service.close()


def make(api: Any, pattern: str, **modes: str) -> None:
    api.create_package_group(**DOMAIN, packageGroup=pattern)
    restrict(api, pattern, **modes)


def restrict(api: Any, pattern: str, **modes: str) -> Any:
    return api.update_package_group_origin_configuration(
        **DOMAIN, packageGroup=pattern, restrictions=modes
    )["packageGroup"]


def group_of(api: Any, name: str) -> str:
    found = api.get_associated_package_group(**DOMAIN, format="pypi", package=name)
    return str(found["packageGroup"]["pattern"])


def served(sandbox: Sandbox, http: Http, endpoint: RepositoryEndpoint, *names: str) -> list[str]:
    token = get_token(sandbox)
    return [name for name in names if http(f"{endpoint.simple_url}{name}/", token).status == 200]


def error_of(api: Any, operation: str, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        getattr(api, operation)(**DOMAIN, **parameters)
    return str(caught.value.response["Error"]["Code"])


def test_a_name_belongs_to_the_most_specific_group(api: Any) -> None:
    names = ("acme-core", "acme-x", "acmex", "six")
    assert {group_of(api, name) for name in names} == {"/*"}
    for pattern in (PYTHON, PREFIX, EXACT):
        make(api, pattern)
    assert [group_of(api, name) for name in names] == [EXACT, PREFIX, PYTHON, PYTHON]


def test_groups_are_described_listed_and_deleted(api: Any) -> None:
    made = api.create_package_group(**DOMAIN, packageGroup=PREFIX, description="ours")
    assert made["packageGroup"]["parent"]["pattern"] == "/*"
    make(api, EXACT)
    changed = api.update_package_group(**DOMAIN, packageGroup=PREFIX, contactInfo="me")
    assert changed["packageGroup"]["description"] == "ours"
    assert changed["packageGroup"]["contactInfo"] == "me"
    listed = api.list_package_groups(**DOMAIN, prefix="/pypi")["packageGroups"]
    assert [group["pattern"] for group in listed] == [EXACT, PREFIX]
    below = api.describe_package_group(**DOMAIN, packageGroup=EXACT)["packageGroup"]
    assert below["parent"]["pattern"] == PREFIX
    api.delete_package_group(**DOMAIN, packageGroup=PREFIX)
    left = api.describe_package_group(**DOMAIN, packageGroup=EXACT)["packageGroup"]
    assert left["parent"]["pattern"] == "/*"


def test_a_mode_is_inherited_from_the_next_group_that_sets_one(api: Any) -> None:
    make(api, PREFIX, EXTERNAL_UPSTREAM="BLOCK")
    make(api, EXACT)
    found = api.describe_package_group(**DOMAIN, packageGroup=EXACT)["packageGroup"]
    external = found["originConfiguration"]["restrictions"]["EXTERNAL_UPSTREAM"]
    assert (external["mode"], external["effectiveMode"]) == ("INHERIT", "BLOCK")
    assert external["inheritedFrom"]["pattern"] == PREFIX
    publish = found["originConfiguration"]["restrictions"]["PUBLISH"]
    assert (publish["effectiveMode"], publish["inheritedFrom"]["pattern"]) == ("ALLOW", "/*")


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("create_package_group", {"packageGroup": "/pypi//acme-*"}, "ValidationException"),
        ("create_package_group", {"packageGroup": "acme"}, "ValidationException"),
        ("create_package_group", {"packageGroup": "/*"}, "ConflictException"),
        ("delete_package_group", {"packageGroup": "/*"}, "ValidationException"),
        ("describe_package_group", {"packageGroup": PREFIX}, "ResourceNotFoundException"),
        (
            "update_package_group_origin_configuration",
            {"packageGroup": "/*", "restrictions": {"PUBLISH": "SOMETIMES"}},
            "ValidationException",
        ),
        (
            "update_package_group_origin_configuration",
            {"packageGroup": "/*", "restrictions": {"PUBLISH": "INHERIT"}},
            "ValidationException",
        ),
    ],
)
def test_invalid_patterns_and_modes_are_refused(
    api: Any, operation: str, parameters: dict[str, Any], code: str
) -> None:
    assert error_of(api, operation, **parameters) == code


def test_a_blocked_prefix_is_not_fetched(
    api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint
) -> None:
    make(api, PREFIX, EXTERNAL_UPSTREAM="BLOCK")
    make(api, EXACT, EXTERNAL_UPSTREAM="ALLOW")
    names = ("acme-core", "acme-x", "six")
    for endpoint in (sandbox.endpoint, team):
        assert served(sandbox, http, endpoint, *names) == ["acme-core", "six"]


def test_blocked_internal_upstreams_are_not_searched(
    api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint
) -> None:
    make(api, PREFIX, INTERNAL_UPSTREAM="BLOCK")
    assert served(sandbox, http, sandbox.endpoint, "acme-x") == ["acme-x"]
    assert served(sandbox, http, team, "acme-x", "six") == ["six"]


def test_only_allowed_repositories_accept_uploads(
    *, api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint, tmp_path: Path
) -> None:
    make(api, "/pypi//acme-new$", PUBLISH="ALLOW_SPECIFIC_REPOSITORIES")
    row = {"repositoryName": "team", "originRestrictionType": "PUBLISH"}
    changed = api.update_package_group_origin_configuration(
        **DOMAIN, packageGroup="/pypi//acme-new$", addAllowedRepositories=[row]
    )
    assert changed["allowedRepositoryUpdates"] == {"PUBLISH": {"ADDED": ["team"]}}
    wheel, token = make_wheel(tmp_path, "acme-new", "1.0"), get_token(sandbox)
    assert upload(http, sandbox.endpoint, token, wheel) == 409
    assert upload(http, team, token, wheel) == 200
    listed = api.list_associated_packages(**DOMAIN, packageGroup="/pypi//acme-new$")
    assert [package["package"] for package in listed["packages"]] == ["acme-new"]


def test_a_packages_own_controls_block_despite_its_group(
    api: Any, sandbox: Sandbox, http: Http, team: RepositoryEndpoint
) -> None:
    sandbox.set_origin("acme-x", upstream="BLOCK", endpoint=team)
    make(api, PREFIX, EXTERNAL_UPSTREAM="ALLOW", INTERNAL_UPSTREAM="ALLOW")
    assert served(sandbox, http, team, "acme-x", "acme-core") == ["acme-core"]
