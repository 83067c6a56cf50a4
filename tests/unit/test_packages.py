"""The packages of a project, and whether files of an index satisfy them."""

from __future__ import annotations

import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from codeartifact_pipenv.checks.network.wanted import (
    WantedPackage,
    allowed_versions,
    check_installable,
    closest_name,
    files_by_version,
    newest,
    packages_in_lock,
    packages_in_pipfile,
    packages_in_words,
)
from codeartifact_pipenv.lookups.simple_page import File


def file(name: str, requires_python: str = "", *, yanked: bool = False) -> File:
    return File(name, f"https://index.example/{name}", requires_python, yanked)


def wheels(*versions: str) -> list[File]:
    return [file(f"acme-{version}-py3-none-any.whl") for version in versions]


def want(specifier: str = "") -> WantedPackage:
    return WantedPackage("acme", specifier, None, "Pipfile")


def allowed(specifier: str, files: list[File], *, prereleases: bool = False) -> list[str]:
    return sorted(
        map(str, allowed_versions(want(specifier)._replace(prereleases=prereleases), files))
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*", ("", None)),
        (" * ", ("", None)),
        ("~=1.2", ("~=1.2", None)),
        ({"version": "*", "extras": ["security"]}, ("", None)),
        ({"version": ">=1", "index": "ours"}, (">=1", "ours")),
        ({"version": ">=1", "index": ["ours"]}, (">=1", None)),
        ({"index": "ours"}, ("", "ours")),
        ({"version": "*", "markers": "python_version >= '3'"}, ("", None)),
        ({"version": "*", "markers": "no marker"}, ("", None)),
        ({"version": "*", "sys_platform": "no marker"}, ("", None)),
    ],
)
def test_a_pipfile_entry_has_a_version_and_source_in_any_form(
    value: object, expected: tuple[str, str | None]
) -> None:
    found = list(packages_in_pipfile({"packages": {"Acme.Tools": value}}))
    assert found == [WantedPackage("acme-tools", *expected, "Pipfile")]


@pytest.mark.parametrize(
    "value",
    [
        *({key: "."} for key in ("path", "file", "git", "hg", "svn", "bzr", "editable")),
        {"version": "*", "markers": "sys_platform == 'none'"},
        {"version": "*", "sys_platform": "== 'none'"},
        {"version": "*", "python_version": "< '3'"},
        1,
        ["*"],
    ],
)
def test_entries_from_elsewhere_or_for_other_machines_are_left_out(value: object) -> None:
    assert list(packages_in_pipfile({"packages": {"acme": value}})) == []


def test_every_category_of_a_pipfile_counts() -> None:
    document = {"docs": {"a": "*"}, "dev-packages": {"b": "*"}, "requires": {"c": "*"}, "x": 1}
    assert {wanted.name for wanted in packages_in_pipfile(document)} == {"a", "b"}


def test_index_entries_of_a_lock_count() -> None:
    entries = {
        "a_a": {"version": "==1.0", "index": "ours"},
        "elsewhere": {"version": "==1.0", "file": "https://index.example/x.whl"},
        "git": {"git": "https://git.example", "ref": "1"},
        "none": {"version": "==1.0", "markers": "sys_platform == 'none'"},
        "odd": {"version": "==1.0", "index": {}},
        "text": "==1.0",
    }
    found = list(packages_in_lock({"_meta": {"a": {"version": "1"}}, "default": entries, "x": []}))
    assert found == [
        WantedPackage("a-a", "==1.0", "ours", "Pipfile.lock"),
        WantedPackage("odd", "==1.0", None, "Pipfile.lock"),
    ]
    assert list(packages_in_lock(None)) == []


def test_requirements_are_read_and_paths_and_urls_left_out() -> None:
    words = ["Acme[security]~=1.0", "a @ https://h/a.whl", "./here", "-e", "acme_b", ""]
    assert [wanted[:2] for wanted in packages_in_words(words)] == [
        ("acme", "~=1.0"),
        ("acme-b", ""),
    ]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("acme-1.0-py3-none-any.whl", "1.0"),
        ("acme-1.0-1-cp311-cp311-win32.whl", "1.0"),
        ("acme-1.0.tar.gz", "1.0"),
        ("acme-1.0.zip", "1.0"),
        ("acme-1.0+local.tar.gz", "1.0+local"),
        ("acme-1.0-py3.11.egg", None),
        ("acme-1.0.exe", None),
        ("acme-beta.tar.gz", None),
        ("acme.whl", None),
        ("", None),
    ],
)
def test_versions_are_read_from_names_of_distributions(name: str, version: str | None) -> None:
    assert [str(found) for found in files_by_version([file(name)])] == (
        [version] if version else []
    )


def test_a_release_is_newer_than_pre_releases() -> None:
    assert newest([Version("1.0"), Version("2.0rc1")]) == Version("1.0")
    assert newest([Version("1.0a1"), Version("2.0rc1")]) == Version("2.0rc1")
    assert newest([]) is None


def test_pre_releases_count_if_requested_or_alone() -> None:
    both = wheels("1.0", "2.0rc1")
    assert allowed("", both) == ["1.0"]
    assert allowed("", both, prereleases=True) == ["1.0", "2.0rc1"]
    assert allowed(">=2.0rc1", both) == ["2.0rc1"]
    for specifier in ("", ">=1", "~=2.0rc0"):
        assert allowed(specifier, wheels("2.0rc1")) == ["2.0rc1"]
        assert check_installable(want(specifier), wheels("2.0rc1"), "3.11.0") is None


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [("", []), (">=1", []), ("==1.*", []), ("==1.0", ["1.0"]), ("===1.0", ["1.0"])],
)
def test_a_yanked_version_counts_only_if_pinned(specifier: str, expected: list[str]) -> None:
    withdrawn = [file("acme-1.0-py3-none-any.whl", yanked=True)]
    assert allowed(specifier, withdrawn) == expected


@pytest.mark.parametrize("specifier", ["1.0", "no specifier", "./here", ">=", "==*"])
def test_an_invalid_specifier_allows_all_versions(specifier: str) -> None:
    assert allowed(specifier, wheels("1.0", "2.0")) == ["1.0", "2.0"]


def test_a_missing_version_is_reported_with_the_newest() -> None:
    found = check_installable(want("==3"), wheels("1.0", "2.0", "4.0rc1"), "3.11.0")
    assert found is not None
    assert (found.code, found.subject) == ("version-missing", "package acme")
    assert found.sentence.endswith("its newest is 2.0.")
    nothing = check_installable(want(), [], "3.11.0")
    assert nothing is not None
    assert nothing.sentence.endswith("it has no version.")


def test_files_in_old_formats_are_not_missing_versions() -> None:
    assert check_installable(want("==1.0"), [file("acme-1.0.tar.bz2")], "3.11.0") is None


@pytest.mark.parametrize(
    ("needs", "python", "runs"),
    [
        (">=3.12", "3.11.4", False),
        (">=3.11", "3.11.4", True),
        (">=3.11.2", "3.11", True),
        ("<3.11.2", "3.11", True),
        (">=3.12", "3.11", False),
        (">=3.8", "3", True),
        (">=3.99", "3", False),
        (">=3.8", "3.14.0rc1", True),
        (">=3.99", "*", True),
        (">=3.99", "3.14.0a1+", True),
        ("nonsense", "3.11.4", True),
        ("", "3.11.4", True),
        (">=3.99", None, True),
    ],
)
def test_a_python_is_excluded_only_if_no_patch_version_fits(
    needs: str, python: str | None, runs: bool
) -> None:
    found = check_installable(want(), [file("acme-1.0.tar.gz", needs)], python)
    assert (found is None) == runs
    if found is not None:
        assert found.code == "python-excluded"
        assert f"needs Python {needs}, but this project uses {python}." in found.sentence


def test_one_installable_file_is_enough() -> None:
    files = [file("acme-2.0.tar.gz", ">=3.99"), file("acme-1.0.tar.gz")]
    assert check_installable(want(), files, "3.11.0") is None
    assert check_installable(want(">=2"), files, "3.11.0") is not None


@given(*[st.text(max_size=8)] * 4)
def test_no_specifier_or_file_name_raises(
    specifier: str, needs: str, python: str, name: str
) -> None:
    files = [file(name + ending, needs) for ending in ("", ".whl", ".tar.gz")]
    check_installable(want(specifier), [file("acme-1.0.tar.gz", needs), *files], python)


def test_a_full_python_version_is_compared_exactly() -> None:
    own = platform.python_version()
    assert check_installable(want(), [file("acme-1.0.tar.gz", f"=={own}")], own) is None
    assert check_installable(want(), [file("acme-1.0.tar.gz", f"!={own}")], own) is not None


def test_the_closest_name_is_found() -> None:
    known = ["Orb_Schema.Generator", "orb-common", "orb-schema"]
    assert closest_name("orb-shema-generator", known) == "orb-schema-generator"
    assert closest_name("orb-common", ["orb-common"]) is None
    assert closest_name("requests", known) is None
    assert closest_name("", []) is None


@pytest.mark.parametrize(
    ("specifier", "files", "says"),
    [
        (">=2", [file("acme-2.0-py3-none-any.whl", yanked=True), *wheels("1.0")], "2.0"),
        ("", [file("acme-1.0-py3-none-any.whl", yanked=True)], "1.0"),
        (
            "~=1.1",
            [
                file("acme-1.1.tar.gz", yanked=True)._replace(yanked="broken on Windows"),
                *wheels("2.0"),
            ],
            "broken on Windows",
        ),
    ],
)
def test_yanked_versions_are_reported_with_the_reason(
    specifier: str, files: list[File], says: str
) -> None:
    found = check_installable(want(specifier), files, "3.12.1")
    assert found is not None
    assert found.code == "version-yanked"
    assert says in found.sentence


@pytest.mark.parametrize(
    "name",
    [
        "acme-1.0-cp39-cp39-manylinux_2_17_x86_64.whl",
        "acme-1.0-cp312-cp312-win_amd64.whl",
        "acme-1.0-py3-none-macosx_99_0_arm64.whl",
        "acme-1.0-py2-none-any.whl",
    ],
)
@pytest.mark.skipif(platform.system() != "Linux", reason="the wheels are for other platforms")
def test_wheels_for_other_platforms_are_excluded(name: str) -> None:
    found = check_installable(want(), [file(name)], "3.12.1")
    assert found is not None
    assert found.code == "platform-excluded"
    assert check_installable(want(), [file(name), file("acme-1.0.tar.gz")], "3.12.1") is None
    assert check_installable(want(), [file(name), *wheels("1.0")], "3.12.1") is None
    assert check_installable(want(), [file(name)], "3") is None


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("Pipfile", "in the Pipfile"),
        ("requirements/dev.txt", "in requirements/dev.txt"),
        ("Pipfile.lock", "in the Pipfile and run `pipenv-ca lock`"),
    ],
)
def test_the_hint_names_the_file_to_change(place: str, says: str) -> None:
    found = check_installable(WantedPackage("acme", "==9", None, place), wheels("1.0"), None)
    assert found is not None
    assert says in found.hint
