"""Applying pipenv's changes to a Pipfile without changing any other byte."""

from __future__ import annotations

import io
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from pipenv.vendor.plette import Pipfile
from support.projects import pipfile_hash

from codeartifact_pipenv.project import edit
from codeartifact_pipenv.project.edit import sources_of, with_sources_at
from codeartifact_pipenv.project.entries import DIRECT_KEYS, entries_of
from codeartifact_pipenv.project.names import normalise

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
SUB_TABLES = """\
[[source]]
name = "pypi"
url = "https://pypi.org/simple"
verify_ssl = true

[packages]
requests = "*"

[packages.orb-common]  # private
version = "*"
index = "pypi"

[packages.six]
# any will do
version = ">=1"

[dev-packages.pytest]
version = "*"
"""
ODD_ORDER = """\
# first of all
[dev-packages]
"pytest" = '*'

[requires]
python_version = "3.11"
[packages]

   six   =   "*"
'ruamel.yaml' = "*"   # quoted
"zope.interface"={version="*",index='pypi'}
[pipenv]
allow_prereleases = true
[[source]]
url='https://pypi.org/simple'
name='pypi'
verify_ssl=true
[docs]
# nothing yet
"""
QUIET = '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = false\nname = "pypi"\n'
EMPTY_SECTIONS = QUIET + "\n[packages]\n\n[dev-packages]\n\n[docs]\n"
DOTTED = QUIET + '\n[packages]\nsix.version = "*"\nsix.index = "pypi"\nrequests = "*"\n'
SPLIT = (
    QUIET + '[packages.six]\nversion = "*"\n[dev-packages]\nx = "*"\n[packages.y]\nversion = "*"\n'
)
CLASSICS = (USUAL, SUB_TABLES, ODD_ORDER, QUIET, EMPTY_SECTIONS, DOTTED, SPLIT)

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


pipfiles = st.one_of(
    tables(),
    st.sampled_from(
        [
            change(text)
            for text in CLASSICS
            for change in (
                str,
                str.rstrip,
                lambda text: text.replace("\n", "\r\n"),
                lambda text: f"\n# x\n{text}",
            )
        ]
    ),
)


def content(text: str) -> dict[str, Any]:
    """Return a parsed Pipfile as plain data."""
    found: dict[str, Any] = tomlkit.parse(text).unwrap()
    return found


def nowhere(_name: str, _value: Any) -> None:
    return None


def with_changes(original: str, before: str, after: str, **options: Any) -> str:
    """Return a Pipfile with pipenv's changes to a copy; all changes apply."""
    text, refused = edit.with_changes(original, edit.changes(before, after, **options))
    assert refused == []
    return text


def changed(original: str, after: str, *named: str, index: str | None = None) -> str:
    """Return a Pipfile with pipenv's changes; new entries get one index."""
    return with_changes(
        original,
        original,
        after,
        named={normalise(name) for name in named},
        index_of=lambda _name, _value: index,
    )


@given(pipfiles)
def test_any_pipfile_gets_the_proxy_url_and_no_other_change(text: str) -> None:
    staged = with_sources_at(text, LOOPBACK)

    def others(lines: str) -> list[str]:
        return [
            line.rstrip("\r\n")
            for line in lines.splitlines()
            if not line.startswith(("url", "verify_ssl"))
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


def test_hash_equals_the_one_in_a_real_lock() -> None:
    text = """\
[[source]]
url = "https://pypi.org/simple"
verify_ssl = true
name = "pypi"

[packages]
six = {version = "*", markers = "python_version >= '3'"}
iniconfig = "*"

[docs]
toml = "*"

[requires]
python_version = "3.11"
"""
    wanted = "dbf486df1aeceaee9c615f2384d93f1eb28664d65735f08ec8bc515509e8d4d1"
    assert pipfile_hash(text) == wanted
    assert pipfile_hash(text.replace("\n", "\r\n")) == wanted
    assert pipfile_hash(f"# comment\n{text}") == wanted


@given(pipfiles.filter(lambda text: "[[source]]" in text))
def test_hash_of_any_pipfile_equals_pipenvs(text: str) -> None:
    assert pipfile_hash(text) == Pipfile.load(io.StringIO(text)).get_hash().value


@given(pipfiles)
def test_a_pipfile_without_changes_stays_identical(text: str) -> None:
    staged = with_sources_at(text, LOOPBACK)
    assert with_changes(text, staged, staged, named={"six"}, index_of=nowhere) == text


@given(pipfiles)
def test_changes_of_sources_are_ignored(text: str) -> None:
    added = '\n[[source]]\nname = "new"\nurl = "https://x.example"\nverify_ssl = true\n'
    assert (
        with_changes(text, text, with_sources_at(text, LOOPBACK), named=(), index_of=nowhere)
        == text
    )
    assert (
        with_changes(text, text, text.rstrip() + "\n" + added, named=(), index_of=nowhere) == text
    )


@given(pipfiles)
def test_reformatting_by_pipenv_is_ignored(text: str) -> None:
    plain = tomlkit.dumps(content(text))
    assert with_changes(text, text, plain, named={"six", "a"}, index_of=nowhere) == text


@pytest.mark.parametrize("text", CLASSICS)
def test_empty_categories_of_pipenv_are_ignored(text: str) -> None:
    after = text.rstrip() + "\n"
    for name in ("dev-packages", "tests"):
        if f"[{name}" not in text:
            after += f"\n[{name}]\n"
    assert changed(text, after, "six") == text


ORB = '{version = "==1.0.1", index = "codeartifact"}'
PYTEST = """{version = "*", extras = ["testing", "more"], markers = "python_version >= '3.8'"}"""


@pytest.mark.parametrize(
    ("old", "pipenvs", "named", "index", "new"),
    [
        pytest.param(
            ORB, '"==2"', "orb-schema-generator", "pypi", ORB.replace("1.0.1", "2"), id="index"
        ),
        pytest.param(
            ORB, '"==2"', "Orb_Schema.Generator", None, ORB.replace("1.0.1", "2"), id="name"
        ),
        pytest.param(PYTEST, '">=8"', "pytest", None, PYTEST.replace("*", ">=8"), id="extras"),
        pytest.param('">=1.10"', '"==2"', "six", None, '"==2"', id="plain"),
        pytest.param(
            '">=1.10"', '"==2"', "six", "codeartifact", ORB.replace("1.0.1", "2"), id="private"
        ),
        pytest.param('">=1.10"', '"==2"', "requests", None, '">=1.10"', id="not named"),
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


@pytest.mark.parametrize("text", [SUB_TABLES, DOTTED], ids=["sub-table", "dotted"])
def test_a_new_version_of_a_table_entry_keeps_its_keys(text: str) -> None:
    after = tomlkit.parse(text)
    name = "six" if text is DOTTED else "orb-common"
    after["packages"][name] = "==2"
    done = changed(text, tomlkit.dumps(after), name)
    wanted = content(text)
    wanted["packages"][name]["version"] = "==2"
    assert content(done) == wanted
    for line in text.splitlines():
        if "#" in line and name not in line:
            assert line in done.splitlines()


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


def test_a_new_package_is_one_new_line() -> None:
    after = USUAL.replace("[dev-packages]", 'toml = "*"\n\n[dev-packages]')
    for index, entry in (
        (None, '"*"'),
        ("codeartifact", '{version = "*", index = "codeartifact"}'),
    ):
        done = changed(USUAL, after, "toml", index=index)
        new = [line for line in done.splitlines() if line not in USUAL.splitlines()]
        assert new == [f"toml = {entry}"]
        assert [line for line in done.splitlines() if line != new[0]] == USUAL.splitlines()
        assert content(done)["packages"]["toml"] == content(f"toml = {entry}")["toml"]


@pytest.mark.parametrize("text", CLASSICS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("category", ["packages", "dev-packages", "tests"])
def test_a_package_is_added_to_any_category_of_any_pipfile(
    text: str, newline: str, category: str
) -> None:
    text = text.replace("\n", newline)
    after = content(text)
    after.setdefault(category, {})["new-one"] = "*"
    done = changed(text, tomlkit.dumps(after), "new-one", index="pypi")
    wanted = content(text)
    wanted.setdefault(category, {})["new-one"] = {"version": "*", "index": "pypi"}
    assert content(done) == wanted
    assert set(text.splitlines()) <= set(done.splitlines())
    assert newline == "\n" or "\n" not in done.replace("\r\n", "")
    assert newline == "\r\n" or "\r" not in done
    assert changed(done, done, "new-one") == done


def test_index_is_looked_up_for_named_and_new_entries() -> None:
    asked = []

    def index_of(name: str, value: Any) -> None:
        asked.append((name, value))

    after = USUAL.replace('">=1.10"', '"==1"').replace("[dev-packages]", 'x = "*"\n[dev-packages]')
    with_changes(USUAL, USUAL, after, named={"six", "requests"}, index_of=index_of)
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
