"""`provision protect` keeps private names private; `provision access` logs tools in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.projects import source, write_pipfile
from support.provision import Account, enter_account
from support.sandbox import Http, get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEAM = ("--domain", "my-dom", "--repository", "team")


@pytest.fixture
def account(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Account]:
    """An account with acme-core in a repository; acme-app and acme-new are public."""
    public = tmp_path / "public"
    public.mkdir()
    for name in ("acme-app", "acme-new", "six"):
        make_wheel(public, name, "9.0")
    wheel = make_wheel(tmp_path, "acme-core", "1.0")
    with Sandbox([wheel], domain="my-dom", repository="team", public=public) as running:
        enter_account(running, monkeypatch)
        monkeypatch.chdir(tmp_path)
        yield Account(running, capsys)


def status_of(account: Account, name: str) -> int:
    """Return the status of the repository's answer for a package."""
    http = Http(account.sandbox)
    url = f"{account.sandbox.endpoint.simple_url}{name}/"
    status = http(url, get_token(account.sandbox)).status
    http.close()
    return int(status)


def controls(account: Account, name: str) -> dict[str, str]:
    found = account.aws.describe_package(
        domain="my-dom", repository="team", format="pypi", package=name
    )["package"]
    return dict(found["originConfiguration"]["restrictions"])


PRIVATE = {"publish": "ALLOW", "upstream": "BLOCK"}


@pytest.mark.wide
def test_protected_name_is_not_served_from_public(account: Account) -> None:
    """Without --yes nothing changes, and a second run changes nothing."""
    assert status_of(account, "acme-new") == 200
    status, output = account.provision("protect", "Acme_App", *TEAM)
    assert status == 2
    assert "+" not in output
    assert status_of(account, "acme-app") == 200
    status, output = account.provision("protect", "Acme_App", *TEAM, "--yes")
    assert status == 0
    assert status_of(account, "acme-app") == 404
    assert controls(account, "acme-app") == PRIVATE
    status, output = account.provision("protect", "acme.app", *TEAM)
    assert status == 0
    assert "No changes needed." in output


@pytest.mark.wide
def test_protect_shows_the_former_state_and_how_to_restore_it(account: Account) -> None:
    assert status_of(account, "six") == 200
    account.sandbox.set_origin("six", publish="BLOCK", upstream="ALLOW")
    found = account.json("protect", "six", "acme-new", *TEAM, "--yes")
    reasons = [step["reason"] for step in found["plan"]]
    assert reasons == ["it is not in this repository yet", "it has publish=BLOCK,upstream=ALLOW"]
    assert controls(account, "six") == PRIVATE
    status, output = account.provision("protect", "six", *TEAM)
    assert status == 0
    assert "--package NAME --restrictions publish=ALLOW,upstream=ALLOW" in output


@pytest.mark.wide
def test_protected_prefix_is_not_served_from_public(account: Account) -> None:
    """Packages that are published in the repository still are."""
    status, output = account.provision("protect", "acme-*", *TEAM, "--dry-run")
    assert status == 0
    assert "+ keep acme-* private in all repositories of my-dom" in output
    assert "this was a dry run" in output
    assert status_of(account, "acme-new") == 200
    found = account.json("protect", "Acme_*", *TEAM, "--yes")
    assert [note.split()[0] for note in found["notes"]] == ["acme-new"]
    assert status_of(account, "acme-app") == 404
    assert status_of(account, "acme-core") == 200
    assert status_of(account, "six") == 200
    assert account.json("protect", "acme-*", *TEAM)["plan"] == []


def test_protect_blocks_public_in_an_existing_group_and_keeps_the_rest(account: Account) -> None:
    group = {"domain": "my-dom", "packageGroup": "/pypi//acme-~"}
    account.aws.create_package_group(**group, description="Ours")
    account.aws.update_package_group_origin_configuration(
        **group, restrictions={"PUBLISH": "BLOCK"}
    )
    found = account.json("protect", "acme-*", *TEAM, "--yes")
    assert found["plan"][0]["reason"] == "it has PUBLISH=BLOCK,EXTERNAL_UPSTREAM=INHERIT"
    described = account.aws.describe_package_group(**group)["packageGroup"]
    modes = {k: v["mode"] for k, v in described["originConfiguration"]["restrictions"].items()}
    assert modes == {
        "PUBLISH": "BLOCK",
        "EXTERNAL_UPSTREAM": "BLOCK",
        "INTERNAL_UPSTREAM": "INHERIT",
    }
    assert described["description"] == "Ours"


def test_next_run_finishes_a_group_that_was_only_created(account: Account) -> None:
    account.sandbox.deny("codeartifact:UpdatePackageGroupOriginConfiguration")
    status, output = account.provision("protect", "acme-*", *TEAM, "--yes")
    assert status == 1
    assert "AWS denies codeartifact:UpdatePackageGroupOriginConfiguration" in output
    account.sandbox.allow("codeartifact:UpdatePackageGroupOriginConfiguration")
    assert account.provision("protect", "acme-*", *TEAM, "--yes")[0] == 0
    assert status_of(account, "acme-app") == 404


@pytest.mark.wide
def test_protect_from_pipfile_covers_codeartifact_packages_and_no_public_one(
    account: Account, tmp_path: Path
) -> None:
    """Packages that only the lock names are included."""
    endpoint = account.sandbox.endpoint
    account.aws.create_repository(domain="my-dom", repository="other")
    packages = (
        '[packages]\nacme-app = {version = "*", index = "codeartifact"}\nrequests = "*"\n'
        'public = {version = "*", index = "pypi"}\n'
    )
    public = '[[source]]\nurl = "https://example.com/simple"\nverify_ssl = true\nname = "pypi"\n'
    pipfile = write_pipfile(tmp_path, public, source(endpoint), packages)
    assert status_of(account, "six") == 200
    versions = {"six": "codeartifact", "acme-core": "codeartifact", "requests": "pypi"}
    lock = {
        "_meta": {"hash": {"sha256": "x"}, "sources": []},
        "default": {name: {"index": index, "version": "==1"} for name, index in versions.items()},
        "develop": {"acme-dev": {"index": "codeartifact"}, "editable": {"path": "."}},
    }
    (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
    account.sandbox.set_origin("acme-core")
    found = account.json("protect", "--from-pipfile", "--yes")
    assert [step["step"].split()[1] for step in found["plan"]] == ["acme-app", "acme-core"]
    assert [note.split()[0] for note in found["notes"]] == ["acme-dev", "six"]
    assert status_of(account, "six") == 200
    for path in (str(pipfile), str(tmp_path)):
        assert account.json("protect", "--from-pipfile", path)["plan"] == []
    assert account.provision("protect", "--from-pipfile", "--repository", "other")[0] == 2


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((*TEAM,), 2, "No name was given to protect"),
        (("a/b", *TEAM), 2, "a/b is neither"),
        (("*", *TEAM), 2, "nor a prefix"),
        (("acme*", *TEAM), 2, "nor a prefix"),
        (("a*b", *TEAM), 2, "a*b is neither"),
        (("--from-pipfile",), 2, "A Pipfile was not found"),
        (("x", "--domain", "my-dom", "--repository", "absent", "--yes"), 1, "[aws-missing]"),
    ],
)
def test_protect_reports_invalid_input_and_protects_nothing(
    account: Account, words: tuple[str, ...], status: int, message: str
) -> None:
    done, output = account.provision("protect", *words)
    assert done == status
    assert message in output
    assert "PutPackageOriginConfiguration" not in account.writes()


def test_access_logs_pip_and_twine_in_to_the_repository(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It prints when each token expires; --tool selects one tool."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIPENV_CA_CACHE_DIR", str(tmp_path / "tokens"))
    for name in ("VIRTUAL_ENV", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    status, output = account.provision("access", *TEAM)
    assert status == 0
    assert output.count("The token expires at ") == 2
    url = account.sandbox.endpoint.url
    assert f"repository = {url}" in (tmp_path / ".pypirc").read_text()
    assert url.removeprefix("https://") in output
    status, output = account.provision("access", *TEAM, "--tool", "twine", "--dry-run")
    assert status == 0
    assert "pip.conf" not in output
