"""Applying pipenv's changes to a Pipfile without changing any other byte."""

from __future__ import annotations

import io
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from pipenv.vendor.plette import Pipfile
from support.corpus import read
from support.projects import pipfile_hash

from codeartifact_pipenv.project import edit
from codeartifact_pipenv.project.edit import sources_of, with_sources_at
from codeartifact_pipenv.project.pipfile import DIRECT_KEYS, entries_of, normalise

LOOPBACK = "http://127.0.0.1:4711/simple"

USUAL = """\
[[source]]
url = "https://pypi.org/simple"
verify_ssl = true
name = "pypi"

[[source]]  # ours
url = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/team/simple/"
verify_ssl = true  # always
name = "codeartifact"

# what the program needs
[packages]
requests = "*"
# the generator; ask Ann
orb-schema-generator = {version = "==1.0.1", index = "codeartifact"}  # pinned
six = ">=1.10"   # for the old part

[dev-packages]
pytest = {version = "*", extras = ["testing", "more"], markers = "python_version >= '3.8'"}

[requires]
python_version = "3.11"

[scripts]
test = "pytest -q"
"""
QUIET = '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = false\nname = "pypi"\n'
STYLES = """
sub_tables sub_tables_only package_in_sub_table_after_source dotted_keys empty_sections indented
sources_at_the_end sources_apart single_quotes keys_with_dots quoted_keys crlf no_final_newline
"""

comments = st.sampled_from(["", "  # why", "# \N{SNOWMAN} [packages]", '   # six = "*"'])
entries = st.sampled_from(
    [
        '"*"',
        "'>=1.2,<3'",
        '{version = "*", index = "pypi"}',
        '{ version="==1" ,extras = [ "a", "b" ] }',
        '{path = ".", editable = true}',
        '{git = "https://example.com/x.git", ref = "main"}',
        """{version = "*", markers = "sys_platform == 'win32'"}""",
    ]
)
names = st.sampled_from(["six", "Orb_Common", '"ruamel.yaml"', "'zope.interface'", "a", "b-c"])
blanks = st.sampled_from(["", "\n", "\n\n", "# between\n", "\n  # indented\n\n"])


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Draw a Pipfile with tables, entries, comments and blank lines in any order."""
    kinds = draw(st.permutations(["source", "packages", "dev-packages", "docs", "requires"]))
    parts = [draw(blanks)]
    for kind in kinds[: draw(st.integers(0, 5))]:
        if kind == "source":
            for name in draw(st.sampled_from([["pypi"], ["pypi", "ca"]])):
                parts.append(f"[[source]]{draw(comments)}\n")
                lines = [f'url = "https://{name}.example/simple"', f'name = "{name}"']
                lines += draw(st.sampled_from([["verify_ssl = true"], ["verify_ssl=false"], []]))
                parts += [f"{line}{draw(comments)}\n" for line in draw(st.permutations(lines))]
        elif kind == "requires":
            parts.append(f'[requires]{draw(comments)}\npython_version = "3.11"\n')
        else:
            parts.append(f"[{kind}]{draw(comments)}\n")
            for name in draw(st.lists(names, unique_by=normalise)):
                parts.append(f"{name} = {draw(entries)}{draw(comments)}\n")
                parts.append(draw(blanks))
            if draw(st.booleans()):
                parts.append(f'[{kind}.sub-table]\nversion = "*"{draw(comments)}\n')
        parts.append(draw(blanks))
    text = "".join(parts)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


pipfiles = tables() | st.sampled_from([USUAL, *map(read, STYLES.split())])


def content(text: str) -> dict[str, Any]:
    """Return a parsed Pipfile as plain data."""
    found: dict[str, Any] = tomlkit.parse(text).unwrap()
    return found


def changed(original: str, after: str, *named: str, index: str | None = None) -> str:
    """Return a Pipfile with pipenv's changes; new entries get one index."""
    wanted = edit.changes(
        original,
        after,
        named={normalise(name) for name in named},
        index_of=lambda _name, _value: index,
    )
    text, refused = edit.with_changes(original, wanted)
    assert refused == []
    return text


@given(pipfiles)
def test_any_pipfile_gets_the_proxy_url_and_no_other_change(text: str) -> None:
    staged = with_sources_at(text, LOOPBACK)

    def others(lines: str) -> list[str]:
        return [
            line.rstrip("\r\n")
            for line in lines.splitlines()
            if not line.lstrip().startswith(("url", "verify_ssl"))
        ]

    assert others(staged) == others(text)
    assert {(s["url"], s["verify_ssl"]) for s in sources_of(staged)} <= {(LOOPBACK, True)}
    before, after = content(text), content(staged)
    assert before.pop("source", None) is None or len(after["source"]) == len(sources_of(text))
    after.pop("source", None)
    assert after == before


def test_sources_are_read_as_plain_data() -> None:
    assert sources_of(QUIET) == [
        {"url": "https://pypi.org/simple", "verify_ssl": False, "name": "pypi"}
    ]
    assert sources_of("[packages]\n") == []
    assert {type(value) for source in sources_of(USUAL) for value in source.values()} == {str, bool}


@given(pipfiles.filter(lambda text: "[[source]]" in text))
def test_hash_of_any_pipfile_equals_pipenvs(text: str) -> None:
    assert pipfile_hash(text) == Pipfile.load(io.StringIO(text)).get_hash().value


@given(pipfiles)
def test_changes_of_sources_format_and_empty_categories_are_ignored(text: str) -> None:
    plain, staged = content(text), with_sources_at(text, LOOPBACK)
    source = '\n[[source]]\nname = "new"\nurl = "https://x.example"\nverify_ssl = true\n'
    more: dict[str, Any] = {name: {} for name in ("dev-packages", "tests") if name not in plain}
    afters = (text, staged, f"{text.rstrip()}\n{source}", tomlkit.dumps({**plain, **more}))
    for after in afters:
        assert changed(text, after, "six", "a") == text


ORB = '{version = "==1.0.1", index = "codeartifact"}'
PYTEST = """{version = "*", extras = ["testing", "more"], markers = "python_version >= '3.8'"}"""


NEW_ORB = ORB.replace("1.0.1", "2")


@pytest.mark.parametrize(
    ("old", "pipenvs", "named", "index", "new"),
    [
        (ORB, '"==2"', "orb-schema-generator", "pypi", NEW_ORB),
        (ORB, '"==2"', "Orb_Schema.Generator", None, NEW_ORB),
        (PYTEST, '">=8"', "pytest", None, PYTEST.replace("*", ">=8")),
        ('">=1.10"', '"==2"', "six", None, '"==2"'),
        ('">=1.10"', '"==2"', "six", "codeartifact", NEW_ORB),
        ('">=1.10"', '"==2"', "requests", None, '">=1.10"'),
    ],
)
def test_a_new_version_changes_nothing_else(
    old: str, pipenvs: str, named: str, index: str | None, new: str
) -> None:
    assert changed(USUAL, USUAL.replace(old, pipenvs), named, index=index) == USUAL.replace(
        old, new
    )


@pytest.mark.parametrize(
    ("old", "pipenvs", "new"),
    [
        (ORB, {"path": "./orb", "editable": True}, {"path": "./orb", "editable": True}),
        (
            '{git = "https://example.com/x", ref = "main", extras = ["a"]}',
            "*",
            {"version": "*", "extras": ["a"], "index": "pypi"},
        ),
    ],
)
def test_a_new_origin_replaces_the_old_one(old: str, pipenvs: Any, new: dict[str, Any]) -> None:
    text = f"{QUIET}\n[packages]\nx = {old}\n"
    after = content(text) | {"packages": {"x": pipenvs}}
    assert content(changed(text, tomlkit.dumps(after), "x", index="pypi"))["packages"]["x"] == new


@pytest.mark.parametrize(
    ("pipenvs", "index", "new"),
    [
        ('{extras = ["a"], version = "2"}', "ca", {"extras": ["a"], "version": "2", "index": "ca"}),
        ('{version = "*", index = "pypi"}', None, "*"),
        *((f'{{{key} = "./x"}}', "ca", {key: "./x"}) for key in sorted(DIRECT_KEYS)),
    ],
)
def test_a_new_package_has_the_right_keys(pipenvs: str, index: str | None, new: Any) -> None:
    after = USUAL.replace("[dev-packages]", f"x = {pipenvs}\n[dev-packages]")
    assert content(changed(USUAL, after, "x", index=index))["packages"]["x"] == new


@given(pipfiles, st.sampled_from(["packages", "dev-packages", "tests"]))
def test_adding_a_package_keeps_everything_else(text: str, category: str) -> None:
    after = content(text)
    after.setdefault(category, {})["new-one"] = "*"
    done = changed(text, tomlkit.dumps(after), "new-one", index="pypi")
    wanted = content(text)
    wanted.setdefault(category, {})["new-one"] = {"version": "*", "index": "pypi"}
    assert content(done) == wanted
    assert set(text.splitlines()) <= set(done.splitlines())
    assert (
        ("\n" in text.replace("\r\n", ""))
        or "\r\n" not in text
        or "\n" not in done.replace("\r\n", "")
    )
    assert changed(done, done, "new-one") == done


@pytest.mark.parametrize("written", ["Orb_Common", "orb.common", "Orb-Common"])
def test_a_name_normalised_by_pipenv_stays_as_written(written: str) -> None:
    entry = '{version = "*", index = "codeartifact", extras = ["all"]}  # mine'
    key = f'"{written}"' if "." in written else written
    text = f'{QUIET}\n[packages]\n{key} = {entry}\nsix = "*"\n'
    after = f'{QUIET}\n[packages]\nsix = "*"\norb-common = "==2"\n'
    assert changed(text, after, "orb-common", index="pypi") == text.replace('"*"', '"==2"', 1)


def test_a_second_spelling_by_pipenv_changes_the_first() -> None:
    text = f'{QUIET}\n[packages]\nOrb_Common = {{version = "*", index = "codeartifact"}}\n'
    done = changed(text, f'{text}orb-common = "==2"\n', "orb-common")
    assert done == text.replace('"*"', '"==2"')


def test_index_is_looked_up_for_named_and_new_entries() -> None:
    asked = []

    def index_of(name: str, value: Any) -> None:
        asked.append((name, value))

    after = USUAL.replace('">=1.10"', '"==1"').replace("[dev-packages]", 'x = "*"\n[dev-packages]')
    edit.changes(USUAL, after, named={"six", "requests"}, index_of=index_of)
    assert [name for name, _ in asked] == ["requests", "six", "x"]


@given(pipfiles, st.data())
def test_removing_any_package_keeps_all_other_lines(text: str, data: st.DataObject) -> None:
    known = [(category, name) for category, name, _ in entries_of(content(text))]
    if not known:
        return
    category, name = data.draw(st.sampled_from(known))
    after = content(text)
    del after[category][name]
    done = changed(text, tomlkit.dumps(after), name)
    kept, before = content(done), content(text)
    assert name not in kept.get(category, {})
    del before[category][name]
    assert {k: v for k, v in kept.items() if v} == {k: v for k, v in before.items() if v}
    remaining = iter(text.splitlines())
    assert all(any(line == other for other in remaining) for line in done.splitlines())
    if f"[{category}.{name}]" not in text:  # a removed [x.y] table takes its comments along
        full_comments = [line for line in text.splitlines() if line.startswith("#")]
        assert [line for line in done.splitlines() if line.startswith("#")] == full_comments


def test_removing_all_packages_keeps_the_categories() -> None:
    after = content(USUAL)
    after["packages"], after["dev-packages"] = {}, {}
    done = changed(USUAL, tomlkit.dumps(after))
    assert content(done) == after
    assert "# what the program needs\n[packages]\n" in done


@given(pipfiles, st.data())
def test_updating_any_package_keeps_everything_else(text: str, data: st.DataObject) -> None:
    known = [
        (category, name, value)
        for category, name, value in entries_of(content(text))
        if isinstance(value, str) or "version" in value
    ]
    if not known:
        return
    category, name, value = data.draw(st.sampled_from(known))
    after = content(text)
    after[category][name] = "==9.9"
    done = changed(text, tomlkit.dumps(after), name)
    wanted = content(text)
    wanted[category][name] = {**value, "version": "==9.9"} if isinstance(value, dict) else "==9.9"
    assert content(done) == wanted
    assert done.count("#") == text.count("#")
    assert done.endswith("\n") is text.endswith("\n")
    assert ("\r\n" in done) is ("\r\n" in text)


def test_entries_are_those_of_package_categories() -> None:
    found = list(entries_of(content(USUAL)))
    assert [(category, name) for category, name, _ in found] == [
        ("packages", "requests"),
        ("packages", "orb-schema-generator"),
        ("packages", "six"),
        ("dev-packages", "pytest"),
    ]
    assert found[1].source == "codeartifact"
    assert list(entries_of({"packages": "no table", "requires": {"python_version": "3"}})) == []


@pytest.mark.parametrize("spelled", ["Orb_Common", "orb.common", "ORB--common", "orb-_.common"])
def test_all_spellings_of_a_name_are_equal(spelled: str) -> None:
    assert normalise(spelled) == "orb-common"
