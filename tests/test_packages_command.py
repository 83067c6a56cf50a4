"""`pipenv-ca packages`: the packages of repositories, published or fetched."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, assert_error, without_credentials
from support.sandbox import Http, RepositoryClient, get_token

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.package import FETCHED
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

APART = endpoint_for(Domain("other-dom", "123456789012", "us-east-1"), "apart")
PUBLISHED = {
    "team": [
        *(("orb-common", version) for version in ("1.9.0", "2.0.0", "2.1.0rc1", "1.10.0")),
        ("orb-tools", "3.0a1"),
        ("old-private", "0.1"),
    ],
    "shared": [("orb-shared", "4.0")],
    "apart": [("orb-apart", "5.0")],
}


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """Repositories with packages of every origin.

    team holds published packages, and fetched ones of its upstreams shared and store; store has
    the external connection; apart is in another domain; empty holds nothing.
    """
    folder, public = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("public")
    for name in ("six", "idna", "old-public"):
        make_wheel(public, name, "1.5")
    options: dict[str, Any] = {"domain": "my-dom", "repository": "store", "public": public}
    with Sandbox(**options, base=clean_base) as sandbox:
        places = {
            "shared": sandbox.add_repository("shared"),
            "team": sandbox.add_repository("team", upstreams=["shared", "store"]),
            "apart": sandbox.add_repository("apart", domain="other-dom"),
            "empty": sandbox.add_repository("empty"),
        }
        for place, packages in PUBLISHED.items():
            for name, version in packages:
                sandbox.publish(make_wheel(folder, name, version), places[place])
        http = Http(sandbox)
        team = RepositoryClient(http, places["team"], get_token(sandbox))
        for name, version in (("six", "1.5"), ("old-public", "1.5"), ("orb-shared", "4.0")):
            assert team.download(name, version)
        http.close()
        # One package of each origin from before origin controls.
        for name in ("old-private", "old-public"):
            sandbox.set_origin(name, endpoint=places["team"])
        yield sandbox


@pytest.fixture
def team(sandbox: Sandbox) -> RepositoryEndpoint:
    return sandbox.endpoint._replace(repository="team")


def ask(user: User, *words: str, status: int = 0, **env: str) -> Result:
    """Run the command, which ends with a status."""
    done = user.run("packages", *words, env=user.env | env)
    assert done.status == status, done.output
    return done


def rows(done: Result) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Return newest version and origin by name and repository."""
    found = json.loads(done.stdout)["packages"]
    return {(p["name"], p["repository"]): (p["newest"], p["origin"]) for p in found}


def test_published_and_fetched_packages_of_upstreams_are_listed(
    team: RepositoryEndpoint, user: User
) -> None:
    """With --published, fetched ones are left out."""
    published = {
        ("old-private", "team"): ("0.1", "published"),
        ("orb-common", "team"): ("2.0.0", "published"),
        ("orb-shared", "shared"): ("4.0", "published"),
        ("orb-tools", "team"): ("3.0a1", "published"),
    }
    fetched = dict.fromkeys([("old-public", "team"), ("six", "team")], (None, "fetched"))
    assert rows(ask(user, team.simple_url, "--json")) == published | fetched
    assert rows(ask(user, team.simple_url, "--json", "--published")) == published


@pytest.mark.wide
def test_newest_adds_versions_of_fetched_packages(sandbox: Sandbox, user: User) -> None:
    calls = Calls(sandbox)
    found = rows(ask(user, sandbox.endpoint.url, "--json"))
    assert found == dict.fromkeys([("old-public", "store"), ("six", "store")], (None, "fetched"))
    assert calls.count("ListPackageVersions") == 0
    found = rows(ask(user, sandbox.endpoint.url, "--json", "--newest"))
    assert found["six", "store"] == ("1.5", "fetched")


def test_without_arguments_the_repositories_of_the_pipfile_are_listed(
    sandbox: Sandbox, team: RepositoryEndpoint, user: User, project: Path
) -> None:
    named = {"team": team, "store": sandbox.endpoint}
    sources = [source(place, "aws:${ONE_TOKEN}@", name) for name, place in named.items()]
    write_pipfile(project, *sources, source(APART, "aws:${TWO_TOKEN}@", "other"))
    lines = ask(user).stdout.splitlines()
    assert lines[0].split() == ["Package", "Newest", "Origin", "Repository"]
    assert [line.split() for line in lines if line.startswith("orb-")] == [
        ["orb-apart", "5.0", "published", "other-dom/apart"],
        ["orb-common", "2.0.0", "published", "my-dom/team"],
        ["orb-shared", "4.0", "published", "my-dom/shared"],
        ["orb-tools", "3.0a1", "published", "my-dom/team"],
    ]
    of_six = [line.split()[-1] for line in lines if line.startswith("six")]
    assert of_six == ["my-dom/store", "my-dom/team"]


@pytest.mark.wide
def test_json_has_the_full_place_of_a_package_once(team: RepositoryEndpoint, user: User) -> None:
    """All the repositories through which it is reached are named."""
    shared = team.url.replace("/team/", "/shared/")
    document = json.loads(ask(user, team.url, shared, "--json", "--published").stdout)
    assert document["gaps"] == []
    assert [each for each in document["packages"] if each["repository"] == "shared"] == [
        {
            "name": "orb-shared",
            "newest": "4.0",
            "origin": "published",
            "repository": "shared",
            "domain": "my-dom",
            "domain_owner": "123456789012",
            "region": "us-east-1",
            "through": [team.url, shared],
        }
    ]


def test_a_name_lists_its_versions_newest_first(
    team: RepositoryEndpoint, user: User, project: Path
) -> None:
    write_pipfile(project, source(team, name="team"))
    lines = ask(user, "Orb_Common").stdout.splitlines()
    assert lines[0].split() == ["Version", "Origin", "Published", "Repository"]
    assert [line.split()[0] for line in lines[1:]] == ["2.1.0rc1", "2.0.0", "1.10.0", "1.9.0"]
    assert all(re.search(r" published  \d{4}-\d\d-\d\d +team$", line) for line in lines[1:])
    document = json.loads(ask(user, "six", team.url, "--json").stdout)
    assert (document["package"], document["gaps"]) == ("six", [])
    found = {(v["version"], v["origin"], v["published_at"]) for v in document["versions"]}
    assert found == {("1.5", "fetched", None)}
    assert {v["repository"] for v in document["versions"]} == {"team", "store"}


@pytest.mark.wide
def test_a_missing_name_is_an_error_and_an_empty_repository_a_warning(
    team: RepositoryEndpoint, user: User
) -> None:
    done = ask(user, "orb-comon", team.url, status=1)
    assert "error: Package orb-comon was not found in 1 repository: team." in done.stderr
    assert "Only one package" in ask(user, "a", "b", team.url, status=2).stderr
    done = ask(user, team.url.replace("/team/", "/empty/"))
    said = "Repository empty of my-dom (account 123456789012, us-east-1) holds no packages."
    assert (done.stdout, done.stderr) == ("", f"warning: {said}\n")


@pytest.fixture
def deny(sandbox: Sandbox) -> Iterator[Callable[[str], None]]:
    """Return a function that denies an action until the test ends."""
    yield sandbox.deny
    for action in ("ListPackages", "DescribeRepository", "ListPackageVersions"):
        sandbox.allow(f"codeartifact:{action}")


def test_the_missing_permission_is_named(
    team: RepositoryEndpoint, user: User, deny: Callable[[str], None]
) -> None:
    deny("codeartifact:ListPackages")
    said = "AWS denies ListPackages for repository team of my-dom ", " [list-denied]"
    hint = "hint: Ask for codeartifact:ListPackages in your identity's policy"
    assert_error(ask(user, team.url, status=1), 1, *said, hint)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("operation", "lost", "count"),
    [("DescribeRepository", {("orb-shared", "shared")}, 1), ("ListPackageVersions", set(), 2)],
)
def test_a_denied_detail_leaves_a_gap_for_each_repository_and_a_warning(
    team: RepositoryEndpoint,
    user: User,
    deny: Callable[[str], None],
    operation: str,
    lost: set[tuple[str, str]],
    count: int,
) -> None:
    deny(f"codeartifact:{operation}")
    done = ask(user, team.url, "--json", "--published")
    found = rows(done)
    assert {("orb-common", "team"), ("orb-shared", "shared")} - set(found) == lost
    assert f"AWS denies {operation} for repository team" in done.stderr
    assert [gap["code"] for gap in json.loads(done.stdout)["gaps"]] == ["list-denied"] * count
    if operation == "ListPackageVersions":
        # A package of unknown origin is not left out.
        assert found["old-public", "team"] == (None, None)
        assert found["orb-common", "team"] == (None, "published")


def test_a_missing_repository_is_found_before_it_is_listed(
    sandbox: Sandbox, team: RepositoryEndpoint, user: User
) -> None:
    calls = Calls(sandbox)
    done = ask(user, team.url.replace("team", "taem"), status=1)
    assert "error: AWS does not find repository taem of my-dom" in done.stderr
    assert done.stderr.splitlines()[0].endswith("[repository-missing]")
    assert calls.count("ListPackages") == 0


def test_a_token_does_not_replace_credentials(team: RepositoryEndpoint, user: User) -> None:
    bare = without_credentials(user.env) | {TOKEN_VARIABLE: user.token()}
    done = user.run("packages", team.url, env=bare)
    assert done.status == 1
    assert "[no-credentials]" in done.stderr
    assert TOKEN_VARIABLE not in done.stderr


def test_accounts_that_are_not_allowed_are_not_asked(
    sandbox: Sandbox, team: RepositoryEndpoint, user: User
) -> None:
    calls = Calls(sandbox)
    done = ask(user, team.url, status=2, PIPENV_CA_ALLOWED_OWNERS="999999999999")
    assert "belongs to an account that is not allowed" in done.stderr
    assert calls.to_aws() == 0


@pytest.mark.wide
def test_two_thousand_packages_are_listed_with_few_calls(
    tmp_path: Path, clean_base: dict[str, str], clean_env: dict[str, str], project: Path
) -> None:
    with Sandbox(base=clean_base, upstream=False) as sandbox:
        sandbox.publish(make_wheel(tmp_path / "wheels", "orb-0000", "1.0"))
        held = sandbox._state.repository(*sandbox.endpoint[:2])
        assert held is not None
        package = held.packages["orb-0000"]
        fetched = replace(package, restrictions=FETCHED)
        for number in range(1, 2000):
            held.packages[f"orb-{number:04}"] = package if number % 2 else fetched
        words = (PIPENV_CA, "packages", sandbox.endpoint.url, "--json")
        env = sandbox.environ(clean_env)
        done = run(*words, env=env, cwd=project, timeout=120)
        assert (done.status, done.stderr) == (0, "")
        newest = [package["newest"] for package in json.loads(done.stdout)["packages"]]
        assert (len(newest), newest.count("1.0")) == (2000, 1001)
        calls = [sandbox.count(name) for name in ("ListPackages", "ListPackageVersions")]
        assert calls == [2, 1001]
        done = run(*words, "--published", env=env, cwd=project, timeout=120)
        assert len(json.loads(done.stdout)["packages"]) == 1001
