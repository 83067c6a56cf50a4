"""The packages of a project, and whether files of an index satisfy them."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.checks.network.wanted import (
    WantedPackage,
    allowed_versions,
    check_installable,
    packages_in_lock,
    packages_in_pipfile,
    packages_in_words,
)
from codeartifact_pipenv.lookups.simple_page import File

if TYPE_CHECKING:
    from codeartifact_pipenv.findings import Finding


def file(name: str, requires_python: str = "", *, yanked: bool | str = False) -> File:
    return File(name, f"https://index.example/{name}", requires_python, yanked)


def wheels(*versions: str, yanked: bool | str = False) -> list[File]:
    return [file(f"acme-{version}-py3-none-any.whl", yanked=yanked) for version in versions]


def allowed(specifier: str, files: list[File], *, prereleases: bool = False) -> list[str]:
    wanted = WantedPackage("acme", specifier, None, "Pipfile", prereleases)
    return sorted(map(str, allowed_versions(wanted, files)))


def fault(
    files: list[File], specifier: str = "", python: str | None = "3.12.1", place: str = "Pipfile"
) -> Finding | None:
    """Return what prevents that pip installs acme."""
    return check_installable(WantedPackage("acme", specifier, None, place), files, python)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" ~=1.2", ("~=1.2", None)),
        ({"version": ">=1", "index": "ours"}, (">=1", "ours")),
        ({"index": ["ours"], "extras": ["security"]}, ("", None)),
        ({"version": "*", "markers": "python_version >= '3'"}, ("", None)),
        ({"version": "*", "sys_platform": "no marker"}, ("", None)),
        ({"version": "*", "markers": "sys_platform == 'none'"}, None),
        ({"version": "*", "python_version": "< '3'"}, None),
        ({"git": "https://git.example"}, None),
        ({"editable": True, "path": "."}, None),
        (["*"], None),
    ],
)
def test_an_index_entry_of_a_pipfile_for_this_machine_is_wanted_in_any_form(
    value: object, expected: tuple[str, str | None] | None
) -> None:
    wanted = [WantedPackage("acme-tools", *expected, "Pipfile")] if expected else []
    for category in ("packages", "docs"):
        document = {category: {"Acme.Tools": value}, "requires": {"c": "*"}, "x": 1}
        assert list(packages_in_pipfile(document)) == wanted


def test_index_entries_of_a_lock_are_wanted() -> None:
    entries = {
        "a_a": {"version": "==1.0", "index": "ours"},
        "elsewhere": {"version": "==1.0", "file": "https://index.example/x.whl"},
        "none": {"version": "==1.0", "markers": "sys_platform == 'none'"},
        "odd": {"version": "==1.0", "index": {}},
        "text": "==1.0",
    }
    found = packages_in_lock({"_meta": {"a": {"version": "1"}}, "default": entries, "x": []})
    assert [wanted[:3] for wanted in found] == [("a-a", "==1.0", "ours"), ("odd", "==1.0", None)]


def test_requirements_are_read_and_paths_and_urls_left_out() -> None:
    words = ["Acme[security]~=1.0", "a @ https://h/a.whl", "./here", "-e", "acme_b", ""]
    found = [wanted[:2] for wanted in packages_in_words(words)]
    assert found == [("acme", "~=1.0"), ("acme-b", "")]


def test_versions_are_read_from_names_of_distributions() -> None:
    names = "acme-1.0-py3-none-any.whl acme-1.0-1-cp311-cp311-win32.whl acme-2.0.zip"
    others = "acme-3+local.tar.gz acme-4.0-py3.11.egg acme-5.0.exe acme-beta.tar.gz acme.whl"
    files = [file(name) for name in f"{names} {others}".split()]
    for specifier in ("", "no specifier"):
        assert allowed(specifier, files) == ["1.0", "2.0", "3+local"]


def test_pre_releases_count_if_requested_or_alone() -> None:
    both = wheels("1.0", "2.0rc1")
    assert allowed("", both) == ["1.0"]
    assert allowed("", both, prereleases=True) == ["1.0", "2.0rc1"]
    assert allowed(">=2.0rc1", both) == ["2.0rc1"]
    for specifier in ("", ">=1", "~=2.0rc0"):
        assert allowed(specifier, wheels("2.0rc1")) == ["2.0rc1"]


@pytest.mark.parametrize(
    ("specifier", "yanked", "says"),
    [
        ("==1.0", True, None),
        ("===1.0", True, None),
        ("==1.*", True, "the newest is 1.0."),
        (">=1", "broken on Windows", "(broken on Windows)"),
    ],
)
def test_a_yanked_version_is_reported_with_the_reason_unless_it_is_pinned(
    specifier: str, yanked: bool | str, says: str | None
) -> None:
    found = fault([*wheels("1.0", yanked=yanked), *wheels("0.9")], specifier)
    assert (found and found.code) == (says and "version-yanked")
    assert found is None or (says or "") in found.sentence


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ("Pipfile", "in the Pipfile,"),
        ("requirements/dev.txt", "in requirements/dev.txt"),
        ("Pipfile.lock", "in the Pipfile and run `pipenv-ca lock`"),
    ],
)
def test_a_missing_version_is_reported_with_the_newest_and_the_file_to_change(
    place: str, hint: str
) -> None:
    found = fault(wheels("1.0", "2.0", "4.0rc1"), "==3", place=place)
    assert found is not None
    assert (found.code, found.subject) == ("version-missing", "package acme")
    assert found.sentence.endswith("its newest is 2.0.")
    assert hint in found.hint


@pytest.mark.parametrize(
    ("needs", "python", "runs"),
    [
        (">=3.12", "3.11.4", False),
        (">=3.11.2", "3.11", True),
        ("<3.11.2", "3.11", True),
        (">=3.12", "3.11", False),
        (">=3.8", "3", True),
        (">=3.99", "3", False),
        (">=3.8", "3.14.0rc1", True),
        (">=3.99", None, True),
        ("nonsense", "3.11.4", True),
    ],
)
def test_a_python_is_excluded_only_if_no_patch_version_fits(
    needs: str, python: str | None, runs: bool
) -> None:
    found = fault([file("acme-1.0.tar.gz", needs)], python=python)
    assert (found is None) == runs
    if found is not None:
        assert found.code == "python-excluded"
        assert f"needs Python {needs}, but this project uses {python}." in found.sentence


def test_one_installable_file_or_one_in_an_old_format_is_enough() -> None:
    files = [file("acme-2.0.tar.gz", ">=3.99"), file("acme-1.0.tar.gz")]
    assert fault(files) is None
    assert fault(files, ">=2") is not None
    assert fault([file("acme-1.0.tar.bz2")], "==1.0") is None


@given(*[st.text(max_size=8)] * 4)
def test_no_specifier_or_file_name_raises(
    specifier: str, needs: str, python: str, name: str
) -> None:
    names = ("acme-1.0.tar.gz", name, f"{name}.whl", f"{name}.tar.gz")
    fault([file(each, needs) for each in names], specifier, python)


@pytest.mark.parametrize(
    "tag", ["cp39-cp39-manylinux_2_17_x86_64", "py3-none-macosx_99_0_arm64", "py2-none-any"]
)
@pytest.mark.skipif(platform.system() != "Linux", reason="the wheels are for other platforms")
def test_wheels_for_other_platforms_are_excluded(tag: str) -> None:
    wheel = file(f"acme-1.0-{tag}.whl")
    found = fault([wheel])
    assert found is not None
    assert found.code == "platform-excluded"
    assert fault([wheel, file("acme-1.0.tar.gz")]) is None
    assert fault([wheel], python="3") is None
