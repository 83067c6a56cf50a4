"""`provision protect` keeps private names private; `provision access` logs tools in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.provision import Account, open_account
from support.sandbox import Http, get_token

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEAM = ("--domain", "my-dom", "--repository", "team")
UPDATE_GROUP = "codeartifact:UpdatePackageGroupOriginConfiguration"


@pytest.fixture
def account(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Account]:
    """An account with acme-core in a repository; acme-app, acme-new and six are public."""
    options = {"domain": "my-dom", "repository": "team", "public": tmp_path / "public"}
    for name in ("acme-app", "acme-new", "six"):
        make_wheel(tmp_path / "public", name, "9.0")
    wheel = make_wheel(tmp_path, "acme-core", "1.0")
    monkeypatch.chdir(tmp_path)
    with open_account(monkeypatch, capsys, wheel, **options) as account:
        yield account


def served(account: Account, *names: str) -> list[str]:
    """Return the names among the given ones that the repository serves."""
    http, token = Http(account.sandbox), get_token(account.sandbox)
    url = account.sandbox.endpoint.simple_url
    found = [name for name in names if http(f"{url}{name}/", token).status == 200]
    http.close()
    return found


@pytest.mark.wide
def test_protected_name_is_not_served_from_public_until_it_is_restored(account: Account) -> None:
    """Without --yes nothing changes, and a second run changes nothing."""
    assert "+" not in account.says("protect", "Acme_App", *TEAM, status=2)
    assert served(account, "six") == ["six"]
    account.sandbox.set_origin("six", publish="BLOCK", upstream="ALLOW")
    found = account.json("protect", "Acme_App", "six", *TEAM, "--yes")
    reasons = [step["reason"] for step in found["plan"]]
    assert reasons == ["it is not in this repository yet", "it has publish=BLOCK,upstream=ALLOW"]
    assert served(account, "acme-app", "acme-new") == ["acme-new"]
    where = {"domain": "my-dom", "repository": "team", "format": "pypi"}
    for name in ("acme-app", "six"):
        package = account.aws.describe_package(**where, package=name)["package"]
        restrictions = package["originConfiguration"]["restrictions"]
        assert restrictions == {"publish": "ALLOW", "upstream": "BLOCK"}
    said = account.says("protect", "acme.app", "six", *TEAM)
    assert "No changes needed." in said
    assert "--package NAME --restrictions publish=ALLOW,upstream=ALLOW" in said


@pytest.mark.wide
def test_protected_prefix_is_not_served_from_public(account: Account) -> None:
    """A package that is published in the repository still is; a second run changes nothing."""
    said = account.says("protect", "acme-*", *TEAM, "--dry-run")
    assert "+ keep acme-* private in all repositories of my-dom" in said
    assert served(account, "acme-new")
    account.sandbox.deny(UPDATE_GROUP)
    denied = account.says("protect", "acme-*", *TEAM, "--yes", status=1)
    assert f"AWS denies {UPDATE_GROUP}" in denied
    account.sandbox.allow(UPDATE_GROUP)
    found = account.json("protect", "Acme_*", *TEAM, "--yes")
    assert [note.split()[0] for note in found["notes"]] == ["acme-new"]
    assert served(account, "acme-app", "acme-core", "six") == ["acme-core", "six"]
    assert account.json("protect", "acme-*", *TEAM)["plan"] == []


def test_protect_blocks_public_in_an_existing_group_and_keeps_the_rest(account: Account) -> None:
    group = {"domain": "my-dom", "packageGroup": "/pypi//acme-~"}
    account.aws.create_package_group(**group, description="Ours")
    modes = {"PUBLISH": "BLOCK"}
    account.aws.update_package_group_origin_configuration(**group, restrictions=modes)
    found = account.json("protect", "acme-*", *TEAM, "--yes")
    assert found["plan"][0]["reason"] == "it has PUBLISH=BLOCK,EXTERNAL_UPSTREAM=INHERIT"
    described = account.aws.describe_package_group(**group)["packageGroup"]
    found = described["originConfiguration"]["restrictions"]
    assert [found[name]["mode"] for name in ("PUBLISH", "EXTERNAL_UPSTREAM")] == ["BLOCK"] * 2
    assert described["description"] == "Ours"


@pytest.mark.wide
def test_protect_from_pipfile_covers_codeartifact_packages_and_no_public_one(
    account: Account, tmp_path: Path
) -> None:
    """Packages that only the lock names are included."""
    account.aws.create_repository(domain="my-dom", repository="other")
    packages = (
        '[packages]\nacme-app = {version = "*", index = "codeartifact"}\nrequests = "*"\n'
        'public = {version = "*", index = "pypi"}\n'
    )
    pipfile = write_pipfile(tmp_path, PYPI_SOURCE, source(account.sandbox.endpoint), packages)
    indexes = {"six": "codeartifact", "acme-core": "codeartifact", "requests": "pypi"}
    lock = {
        "_meta": {"hash": {"sha256": "x"}, "sources": []},
        "default": {name: {"index": index, "version": "==1"} for name, index in indexes.items()},
        "develop": {"acme-dev": {"index": "codeartifact"}, "editable": {"path": "."}},
    }
    (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
    account.sandbox.set_origin("acme-core")
    found = account.json("protect", "--from-pipfile", "--yes")
    assert [step["step"].split()[1] for step in found["plan"]] == ["acme-app", "acme-core"]
    assert [note.split()[0] for note in found["notes"]] == ["acme-dev", "six"]
    assert served(account, "six")
    for path in (str(pipfile), str(tmp_path)):
        assert account.json("protect", "--from-pipfile", path)["plan"] == []
    account.says("protect", "--from-pipfile", "--repository", "other", status=2)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((*TEAM,), 2, "No name was given to protect"),
        (("a/b", *TEAM), 2, "a/b is neither"),
        (("*", *TEAM), 2, "nor a prefix"),
        (("acme*", *TEAM), 2, "nor a prefix"),
        (("--from-pipfile",), 2, "A Pipfile was not found"),
        (("x", "--domain", "my-dom", "--repository", "absent", "--yes"), 1, "[aws-missing]"),
    ],
)
def test_protect_reports_invalid_input_and_protects_nothing(
    account: Account, words: tuple[str, ...], status: int, message: str
) -> None:
    assert message in account.says("protect", *words, status=status)
    assert "PutPackageOriginConfiguration" not in account.writes()


def test_access_logs_pip_and_twine_in_to_the_repository(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIPENV_CA_CACHE_DIR", str(tmp_path / "tokens"))
    for name in ("VIRTUAL_ENV", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    said = account.says("access", *TEAM)
    assert said.count("The token expires at ") == 2
    url = account.sandbox.endpoint.url
    assert f"repository = {url}" in (tmp_path / ".pypirc").read_text()
    assert url.removeprefix("https://") in said
    assert "pip.conf" not in account.says("access", *TEAM, "--tool", "twine", "--dry-run")
