"""Applying pipenv's changes to a Pipfile without changing any other byte."""

from __future__ import annotations

from typing import Any

import pytest
import tomlkit
from hypothesis import assume, given
from hypothesis import strategies as st
from pipenv.vendor.plette.pipfiles import DEFAULT_SOURCE_TOML
from support.corpus import read

from codeartifact_pipenv.project import edit
from codeartifact_pipenv.project.pipfile import DIRECT_KEYS, entries_of, normalise
from codeartifact_pipenv.project.sources import default_source
from codeartifact_pipenv.project.toml_text import sources_of, with_sources_at

LOOPBACK = "http://127.0.0.1:4711/simple"
QUIET = '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = false\nname = "pypi"\n'

USUAL = f"""\
{QUIET}
[[source]]  # ours
url = "https://ca.example/simple"
verify_ssl = true  # always
name = "codeartifact"

# what the program needs
[packages]
requests = "*"
# the generator; ask Ann
orb-schema-generator = {{version = "==1.0.1", index = "codeartifact"}}  # pinned
six = ">=1.10"   # for the old part

[dev-packages]
pytest = {{version = "*", extras = ["testing", "more"], markers = "python_version >= '3.8'"}}

[requires]
python_version = "3.11"
"""
STYLES = """
sub_tables sub_tables_only package_in_sub_table_after_source dotted_keys empty_sections indented
sources_at_the_end sources_apart single_quotes keys_with_dots quoted_keys crlf no_final_newline
"""

comments = st.sampled_from(["", "  # why", "# \N{SNOWMAN} [packages]", '   # six = "*"'])
entries = st.sampled_from(
    [
        *('"*"', "'>=1.2,<3'", '{version = "*", index = "pypi"}'),
        '{ version="==1" ,extras = [ "a", "b" ] }',
        *('{path = ".", editable = true}', '{git = "https://example.com/x.git", ref = "main"}'),
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
    staged = with_sources_at(text, LOOPBACK, sources_of(text))
    assert staged == with_sources_at(text, LOOPBACK)

    def others(lines: str) -> list[str]:
        own = ("url", "verify_ssl")
        return [line for line in lines.splitlines() if not line.lstrip().startswith(own)]

    assert others(staged) == others(text)
    assert {(s["url"], s["verify_ssl"]) for s in sources_of(staged)} <= {(LOOPBACK, True)}
    assert len(sources_of(staged)) == len(sources_of(text))
    before, after = content(text), content(staged)
    assert {**after, "source": 0} == {**before, "source": 0}


@given(pipfiles)
def test_changes_of_sources_format_and_empty_categories_are_ignored(text: str) -> None:
    plain = content(text)
    more: dict[str, Any] = {name: {} for name in ("dev-packages", "tests") if name not in plain}
    formatted = tomlkit.dumps({**plain, **more})
    for after in (with_sources_at(text, LOOPBACK), f"{text.rstrip()}\n\n{QUIET}", formatted):
        assert changed(text, after, "six", "a") == text


ORB = '{version = "==1.0.1", index = "codeartifact"}'
NEW_ORB = ORB.replace("1.0.1", "2")


@pytest.mark.parametrize(
    ("old", "pipenvs", "named", "index", "new"),
    [
        (ORB, '"==2"', "Orb_Schema.Generator", None, NEW_ORB),
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
    ("old", "pipenvs", "index", "new"),
    [
        (ORB, '{path = "./orb", editable = true}', "pypi", {"path": "./orb", "editable": True}),
        (
            *('{git = "https://x.example/x", extras = ["a"]}', '"*"', "pypi"),
            {"version": "*", "index": "pypi", "extras": ["a"]},
        ),
        (None, '{version = "2"}', "ca", {"version": "2", "index": "ca"}),
        (None, '{version = "*", index = "pypi"}', None, "*"),
        *((None, f'{{{key} = "./x"}}', "ca", {key: "./x"}) for key in sorted(DIRECT_KEYS)),
    ],
)
def test_a_new_package_or_origin_has_the_right_keys(
    old: str | None, pipenvs: str, index: str | None, new: Any
) -> None:
    before = f"{QUIET}\n[packages]\n" + (f"x = {old}\n" if old else "")
    after = f"{QUIET}\n[packages]\nx = {pipenvs}\n"
    assert content(changed(before, after, "x", index=index))["packages"]["x"] == new


@given(pipfiles, st.sampled_from(["packages", "dev-packages", "tests"]))
def test_adding_a_package_keeps_everything_else(text: str, category: str) -> None:
    after, wanted = content(text), content(text)
    after.setdefault(category, {})["new-one"] = "*"
    wanted.setdefault(category, {})["new-one"] = {"version": "*", "index": "pypi"}
    done = changed(text, tomlkit.dumps(after), "new-one", index="pypi")
    assert content(done) == wanted
    assert set(text.splitlines()) <= set(done.splitlines())
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        assert "\n" not in done.replace("\r\n", "")
    assert changed(done, done, "new-one") == done


@pytest.mark.parametrize("spelled", ["Orb_Common", '"orb.common"'])
@pytest.mark.parametrize("kept", [True, False])
def test_a_name_normalised_by_pipenv_stays_as_written(spelled: str, kept: bool) -> None:
    entry = f'{spelled} = {{version = "*", index = "codeartifact", extras = ["all"]}}  # mine\n'
    text = f'{QUIET}\n[packages]\n{entry}six = "*"\n'
    after = (text if kept else text.replace(entry, "")) + 'orb-common = "==2"\n'
    assert changed(text, after, "orb-common") == text.replace('"*"', '"==2"', 1)


@given(pipfiles, st.data())
def test_removing_any_package_keeps_all_other_lines(text: str, data: st.DataObject) -> None:
    known = [(category, name) for category, name, _ in entries_of(content(text))]
    assume(known)
    category, name = data.draw(st.sampled_from(known))
    after = content(text)
    del after[category][name]
    done = changed(text, tomlkit.dumps(after), name)
    kept = content(done)
    assert name not in kept.get(category, {})
    assert (f"\n[{category}]" in done) == (f"\n[{category}]" in text)
    assert {k: v for k, v in kept.items() if v} == {k: v for k, v in after.items() if v}
    remaining = iter(text.splitlines())
    assert all(any(line == other for other in remaining) for line in done.splitlines())
    if f"[{category}.{name}]" not in text:  # a removed [x.y] table takes its comments along
        full_comments = [line for line in text.splitlines() if line.startswith("#")]
        assert [line for line in done.splitlines() if line.startswith("#")] == full_comments


@given(pipfiles, st.data())
def test_updating_any_package_keeps_everything_else(text: str, data: st.DataObject) -> None:
    known = [e for e in entries_of(content(text)) if isinstance(e[2], str) or "version" in e[2]]
    assume(known)
    category, name, value = data.draw(st.sampled_from(known))
    after, wanted = content(text), content(text)
    after[category][name] = "==9.9"
    wanted[category][name] = {**value, "version": "==9.9"} if isinstance(value, dict) else "==9.9"
    done = changed(text, tomlkit.dumps(after), name)
    assert content(done) == wanted
    assert done.count("#") == text.count("#")
    assert done.endswith("\n") is text.endswith("\n")
    assert ("\r\n" in done) is ("\r\n" in text)


def test_default_source_is_the_one_that_pipenv_writes() -> None:
    assert [default_source()] == sources_of(DEFAULT_SOURCE_TOML)
