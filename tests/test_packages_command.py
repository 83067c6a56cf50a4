"""`pipenv-ca packages`: the packages of repositories, published or fetched."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, assert_error, without_credentials
from support.sandbox import Http, get_token

from codeartifact_pipenv.sandbox.package import FETCHED
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

    Ask = Callable[..., Result]

LIST = "codeartifact:ListPackages"


class Repositories(NamedTuple):
    """Repositories with packages of every origin.

    Attributes:
        sandbox: the sandbox.
        team: holds published packages, and fetched ones of its upstreams shared and store.
        store: has the external connection.
        other: a repository of another domain.
        empty: holds nothing.
    """

    sandbox: Sandbox
    team: RepositoryEndpoint
    store: RepositoryEndpoint
    other: RepositoryEndpoint
    empty: RepositoryEndpoint


@pytest.fixture(scope="module")
def repositories(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Repositories]:
    folder = tmp_path_factory.mktemp("wheels")
    public = tmp_path_factory.mktemp("public")
    for name in ("six", "idna", "old-public"):
        make_wheel(public, name, "1.5")
    with Sandbox(
        domain="my-dom", repository="store", public=public, upstream=True, base=clean_base
    ) as sandbox:
        store = sandbox.endpoint
        shared = sandbox.add_repository("shared")
        team = sandbox.add_repository("team", upstreams=["shared", "store"])
        other = sandbox.add_repository("apart", domain="other-dom")
        empty = sandbox.add_repository("empty")
        for name, version, endpoint in (
            *(
                ("orb-common", version, team)
                for version in ("1.9.0", "2.0.0", "2.1.0rc1", "1.10.0")
            ),
            ("orb-tools", "3.0a1", team),
            ("orb-shared", "4.0", shared),
            ("orb-apart", "5.0", other),
            ("old-private", "0.1", team),
        ):
            sandbox.publish(make_wheel(folder, name, version), endpoint)
        token, http = get_token(sandbox), Http(sandbox)
        for name, version in (("six", "1.5"), ("old-public", "1.5"), ("orb-shared", "4.0")):
            wheel = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
            assert http(f"{team.simple_url}{name}/{version}/{wheel}", token).status == 200
        http.close()
        # One package of each origin from before origin controls.
        for name in ("old-private", "old-public"):
            sandbox.set_origin(name, endpoint=team)
        yield Repositories(sandbox, team, store, other, empty)


@pytest.fixture
def env(repositories: Repositories, clean_env: dict[str, str]) -> dict[str, str]:
    return repositories.sandbox.environ(clean_env)


@pytest.fixture
def ask(env: dict[str, str], project: Path) -> Ask:
    def ask(*words: str, status: int = 0, **more: str) -> Result:
        done = run(PIPENV_CA, "packages", *words, env=env | more, cwd=project)
        assert done.status == status, done.output
        return done

    return ask


def rows(done: Result) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Return newest version and origin by name and repository."""
    found = json.loads(done.stdout)["packages"]
    return {(p["name"], p["repository"]): (p["newest"], p["origin"]) for p in found}


def test_published_and_fetched_packages_of_upstreams_are_listed(
    repositories: Repositories, ask: Ask
) -> None:
    assert rows(ask(repositories.team.simple_url, "--json")) == {
        ("old-private", "team"): ("0.1", "published"),
        ("old-public", "team"): (None, "fetched"),
        ("orb-common", "team"): ("2.0.0", "published"),
        ("orb-shared", "shared"): ("4.0", "published"),
        ("orb-tools", "team"): ("3.0a1", "published"),
        ("six", "team"): (None, "fetched"),
    }


@pytest.mark.wide
def test_newest_adds_versions_of_fetched_packages(repositories: Repositories, ask: Ask) -> None:
    before = repositories.sandbox.count("ListPackageVersions")
    found = rows(ask(repositories.store.url, "--json"))
    assert found == dict.fromkeys([("old-public", "store"), ("six", "store")], (None, "fetched"))
    assert repositories.sandbox.count("ListPackageVersions") == before
    found = rows(ask(repositories.store.url, "--json", "--newest"))
    assert found["six", "store"] == ("1.5", "fetched")


def test_published_leaves_out_fetched_packages(repositories: Repositories, ask: Ask) -> None:
    found = rows(ask(repositories.team.simple_url, "--json", "--published"))
    assert [name for name, _ in found] == ["old-private", "orb-common", "orb-shared", "orb-tools"]


@pytest.mark.wide
def test_a_package_in_two_repositories_is_listed_once(repositories: Repositories, ask: Ask) -> None:
    shared = repositories.team.url.replace("/team/", "/shared/")
    found = json.loads(ask(repositories.team.url, shared, "--json", "--published").stdout)
    (package,) = [each for each in found["packages"] if each["repository"] == "shared"]
    assert (package["name"], package["newest"]) == ("orb-shared", "4.0")
    assert package["through"] == [repositories.team.url, shared]


def test_without_arguments_the_repositories_of_the_pipfile_are_listed(
    repositories: Repositories, ask: Ask, project: Path
) -> None:
    write_pipfile(
        project,
        source(repositories.team, "aws:${ONE_TOKEN}@", "team"),
        source(repositories.store, "aws:${ONE_TOKEN}@", "store"),
        source(repositories.other, "aws:${TWO_TOKEN}@", "other"),
    )
    lines = ask().stdout.splitlines()
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
def test_json_has_the_full_place_of_a_package(repositories: Repositories, ask: Ask) -> None:
    document = json.loads(ask(repositories.other.url, "--json").stdout)
    assert document == {
        "packages": [
            {
                "name": "orb-apart",
                "newest": "5.0",
                "origin": "published",
                "repository": "apart",
                "domain": "other-dom",
                "domain_owner": "123456789012",
                "region": "us-east-1",
                "through": [repositories.other.url],
            }
        ],
        "gaps": [],
    }


def test_a_name_lists_its_versions_newest_first(
    repositories: Repositories, ask: Ask, project: Path
) -> None:
    write_pipfile(project, source(repositories.team, name="team"))
    lines = ask("Orb_Common").stdout.splitlines()
    assert lines[0].split() == ["Version", "Origin", "Published", "Repository"]
    assert [line.split()[0] for line in lines[1:]] == ["2.1.0rc1", "2.0.0", "1.10.0", "1.9.0"]
    assert all(re.search(r" published  \d{4}-\d\d-\d\d +team$", line) for line in lines[1:])
    document = json.loads(ask("six", repositories.team.url, "--json").stdout)
    assert (document["package"], document["gaps"]) == ("six", [])
    found = {(v["version"], v["origin"], v["published_at"]) for v in document["versions"]}
    assert found == {("1.5", "fetched", None)}
    assert {v["repository"] for v in document["versions"]} == {"team", "store"}


def test_a_missing_name_fails(repositories: Repositories, ask: Ask) -> None:
    done = ask("orb-comon", repositories.team.url, status=1)
    assert "error: Package orb-comon was not found in 1 repository: team." in done.stderr
    assert "Only one package" in ask("a", "b", repositories.team.url, status=2).stderr


@pytest.mark.wide
def test_an_empty_repository_is_a_warning(repositories: Repositories, ask: Ask) -> None:
    done = ask(repositories.empty.url)
    said = "Repository empty of my-dom (account 123456789012, us-east-1) holds no packages."
    assert (done.stdout, done.stderr) == ("", f"warning: {said}\n")


@pytest.fixture
def deny(repositories: Repositories) -> Iterator[Callable[[str], None]]:
    """Return a function that denies an action until the test ends."""
    with contextlib.ExitStack() as stack:

        def deny(action: str) -> None:
            repositories.sandbox.deny(action)
            stack.callback(repositories.sandbox.allow, action)

        yield deny


def test_the_missing_permission_is_named(
    repositories: Repositories, ask: Ask, deny: Callable[[str], None]
) -> None:
    deny(LIST)
    said = "AWS denies ListPackages for repository team of my-dom ", " [list-denied]"
    hint = "hint: Ask for codeartifact:ListPackages in your identity's policy"
    assert_error(ask(repositories.team.url, status=1), 1, *said, hint)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("action", "lost"),
    [
        ("codeartifact:DescribeRepository", {("orb-shared", "shared")}),
        ("codeartifact:ListPackageVersions", set()),
    ],
)
def test_a_denied_detail_leaves_a_gap_and_a_warning(
    repositories: Repositories,
    ask: Ask,
    deny: Callable[[str], None],
    action: str,
    lost: set[tuple[str, str]],
) -> None:
    deny(action)
    done = ask(repositories.team.url, "--json", "--published")
    found = rows(done)
    known = {("old-private", "team"), ("orb-common", "team"), ("orb-shared", "shared")}
    assert known - lost <= set(found)
    assert lost & set(found) == set()
    operation = action.partition(":")[2]
    assert f"AWS denies {operation} for repository team" in done.stderr
    gaps = json.loads(done.stdout)["gaps"]
    assert {gap["code"] for gap in gaps} == {"list-denied"}
    # One for each repository.
    assert len(gaps) == (2 if operation == "ListPackageVersions" else 1)
    if operation == "ListPackageVersions":
        # A package of unknown origin is not left out.
        assert found["old-public", "team"] == (None, None)
        assert found["orb-common", "team"] == (None, "published")


def test_a_missing_repository_is_found_before_it_is_listed(
    repositories: Repositories, ask: Ask
) -> None:
    calls = Calls(repositories.sandbox)
    done = ask(repositories.team.url.replace("team", "taem"), status=1)
    assert "error: AWS does not find repository taem of my-dom" in done.stderr
    assert done.stderr.splitlines()[0].endswith("[repository-missing]")
    assert calls.count("ListPackages") == 0


def test_a_token_does_not_replace_credentials(
    repositories: Repositories, env: dict[str, str], project: Path
) -> None:
    bare = without_credentials(env) | {TOKEN_VARIABLE: get_token(repositories.sandbox)}
    done = run(PIPENV_CA, "packages", repositories.team.url, env=bare, cwd=project)
    assert done.status == 1
    assert "[no-credentials]" in done.stderr
    assert TOKEN_VARIABLE not in done.stderr


def test_accounts_that_are_not_allowed_are_not_asked(repositories: Repositories, ask: Ask) -> None:
    calls = Calls(repositories.sandbox)
    done = ask(repositories.team.url, status=2, PIPENV_CA_ALLOWED_OWNERS="999999999999")
    assert "belongs to an account that is not allowed" in done.stderr
    assert calls.to_aws() == 0


@pytest.mark.wide
def test_throttled_calls_are_repeated_until_they_succeed(
    repositories: Repositories, ask: Ask
) -> None:
    repositories.sandbox.throttle(2)
    assert ("orb-common", "team") in rows(ask(repositories.team.url, "--json"))


@pytest.mark.wide
def test_two_thousand_packages_are_listed_with_few_calls(
    tmp_path: Path, clean_base: dict[str, str], clean_env: dict[str, str], project: Path
) -> None:
    first = make_wheel(tmp_path / "wheels", "orb-0000", "1.0")
    with Sandbox(base=clean_base, upstream=False) as sandbox:
        sandbox.publish(first)
        state = sandbox._state
        held = state.repository(sandbox.endpoint.domain, sandbox.endpoint.repository)
        assert held is not None
        package = held.packages["orb-0000"]
        fetched = replace(package, restrictions=FETCHED)
        for number in range(1, 2000):
            held.packages[f"orb-{number:04}"] = package if number % 2 else fetched
        words = (PIPENV_CA, "packages", sandbox.endpoint.url, "--json")
        env = sandbox.environ(clean_env)
        done = run(*words, env=env, cwd=project, timeout=120)
        assert (done.status, done.stderr) == (0, "")
        found = json.loads(done.stdout)["packages"]
        assert len(found) == 2000
        assert sum(p["newest"] == "1.0" for p in found) == 1001
        assert sandbox.count("ListPackages") == 2
        assert sandbox.count("ListPackageVersions") == 1001
        done = run(*words, "--published", env=env, cwd=project, timeout=120)
        assert len(json.loads(done.stdout)["packages"]) == 1001
