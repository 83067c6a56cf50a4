"""Package groups: which names they cover, and what they let into repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.sandbox import Http, RepositoryClient, client_of, get_token, refused

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.wide

DOMAIN = {"domain": "demo"}
PREFIX, EXACT, PYTHON, ROOT = "/pypi//acme-~", "/pypi//acme-core$", "/pypi/*", "/*"


@pytest.fixture
def sandbox(tmp_path: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    """A store with public acme-core, acme-x and six; a team's repository has it as upstream."""
    for name in ("acme-core", "acme-x", "six"):
        make_wheel(tmp_path / "public", name, "1.0")
    public = tmp_path / "public"
    with Sandbox(repository="store", public=public, base=clean_base) as running:
        yield running


@pytest.fixture
def store(sandbox: Sandbox, http: Http) -> RepositoryClient:
    return RepositoryClient(http, sandbox.endpoint, get_token(sandbox))


@pytest.fixture
def team(sandbox: Sandbox, store: RepositoryClient) -> RepositoryClient:
    endpoint = sandbox.add_repository("team", upstreams=["store"])
    return RepositoryClient(store.http, endpoint, store.token)


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Any]:
    service = client_of(sandbox, "codeartifact", sandbox.user)
    yield service
    service.close()


def make(api: Any, pattern: str, **modes: str) -> None:
    api.create_package_group(**DOMAIN, packageGroup=pattern)
    api.update_package_group_origin_configuration(
        **DOMAIN, packageGroup=pattern, restrictions=modes
    )


def describe(api: Any, pattern: str) -> Any:
    return api.describe_package_group(**DOMAIN, packageGroup=pattern)["packageGroup"]


def group_of(api: Any, name: str) -> str:
    found = api.get_associated_package_group(**DOMAIN, format="pypi", package=name)
    return str(found["packageGroup"]["pattern"])


def served(repository: RepositoryClient) -> list[str]:
    names = ("acme-core", "acme-x", "six")
    return [name for name in names if repository.status(f"{name}/") == 200]


def test_a_name_belongs_to_the_most_specific_group(api: Any) -> None:
    names = ("acme-core", "acme-x", "acmex", "six")
    assert {group_of(api, name) for name in names} == {ROOT}
    for pattern in (PYTHON, PREFIX, EXACT):
        make(api, pattern)
    assert [group_of(api, name) for name in names] == [EXACT, PREFIX, PYTHON, PYTHON]


def test_groups_are_described_listed_and_deleted(api: Any) -> None:
    made = api.create_package_group(**DOMAIN, packageGroup=PREFIX, description="ours")
    assert made["packageGroup"]["parent"]["pattern"] == ROOT
    make(api, EXACT)
    changed = api.update_package_group(**DOMAIN, packageGroup=PREFIX, contactInfo="me")
    assert changed["packageGroup"]["description"] == "ours"
    assert changed["packageGroup"]["contactInfo"] == "me"
    listed = api.list_package_groups(**DOMAIN, prefix="/pypi")["packageGroups"]
    assert [group["pattern"] for group in listed] == [EXACT, PREFIX]
    assert describe(api, EXACT)["parent"]["pattern"] == PREFIX
    api.delete_package_group(**DOMAIN, packageGroup=PREFIX)
    assert describe(api, EXACT)["parent"]["pattern"] == ROOT


def test_a_mode_is_inherited_from_the_next_group_that_sets_one(api: Any) -> None:
    make(api, PREFIX, EXTERNAL_UPSTREAM="BLOCK")
    make(api, EXACT)
    modes = describe(api, EXACT)["originConfiguration"]["restrictions"]
    external, publish = modes["EXTERNAL_UPSTREAM"], modes["PUBLISH"]
    assert (external["mode"], external["effectiveMode"]) == ("INHERIT", "BLOCK")
    assert external["inheritedFrom"]["pattern"] == PREFIX
    assert (publish["effectiveMode"], publish["inheritedFrom"]["pattern"]) == ("ALLOW", ROOT)


RESTRICT = "update_package_group_origin_configuration"


@pytest.mark.parametrize(
    ("operation", "pattern", "given", "code"),
    [
        ("create_package_group", "/pypi//acme-*", {}, "ValidationException"),
        ("create_package_group", "acme", {}, "ValidationException"),
        ("create_package_group", ROOT, {}, "ConflictException"),
        ("delete_package_group", ROOT, {}, "ValidationException"),
        ("describe_package_group", PREFIX, {}, "ResourceNotFoundException"),
        (RESTRICT, ROOT, {"restrictions": {"PUBLISH": "SOMETIMES"}}, "ValidationException"),
        (RESTRICT, ROOT, {"restrictions": {"PUBLISH": "INHERIT"}}, "ValidationException"),
    ],
)
def test_invalid_patterns_and_modes_are_refused(
    api: Any, operation: str, pattern: str, given: dict[str, Any], code: str
) -> None:
    assert refused(getattr(api, operation), **DOMAIN, packageGroup=pattern, **given)[0] == code


def test_names_of_a_blocked_prefix_are_not_fetched(
    api: Any, store: RepositoryClient, team: RepositoryClient
) -> None:
    make(api, PREFIX, EXTERNAL_UPSTREAM="BLOCK")
    make(api, EXACT, EXTERNAL_UPSTREAM="ALLOW")
    assert served(store) == served(team) == ["acme-core", "six"]


def test_blocked_internal_upstreams_are_not_searched(
    api: Any, store: RepositoryClient, team: RepositoryClient
) -> None:
    make(api, PREFIX, INTERNAL_UPSTREAM="BLOCK")
    assert served(store) == ["acme-core", "acme-x", "six"]
    assert served(team) == ["six"]


def test_only_allowed_repositories_accept_uploads(
    api: Any, store: RepositoryClient, team: RepositoryClient, tmp_path: Path
) -> None:
    group = {"packageGroup": "/pypi//acme-new$"}
    make(api, group["packageGroup"], PUBLISH="ALLOW_SPECIFIC_REPOSITORIES")
    row = {"repositoryName": "team", "originRestrictionType": "PUBLISH"}
    changed = api.update_package_group_origin_configuration(
        **DOMAIN, **group, addAllowedRepositories=[row]
    )
    assert changed["allowedRepositoryUpdates"] == {"PUBLISH": {"ADDED": ["team"]}}
    wheel = make_wheel(tmp_path, "acme-new", "1.0")
    assert [each.upload(wheel).status for each in (store, team)] == [409, 200]
    listed = api.list_associated_packages(**DOMAIN, **group)
    assert [package["package"] for package in listed["packages"]] == ["acme-new"]


def test_the_controls_of_a_package_block_despite_its_group(
    api: Any, sandbox: Sandbox, team: RepositoryClient
) -> None:
    endpoint = sandbox.endpoint._replace(repository="team")
    sandbox.set_origin("acme-x", upstream="BLOCK", endpoint=endpoint)
    make(api, PREFIX, EXTERNAL_UPSTREAM="ALLOW", INTERNAL_UPSTREAM="ALLOW")
    assert served(team) == ["acme-core", "six"]
