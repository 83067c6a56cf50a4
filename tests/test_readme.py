"""README, guides and CONTRIBUTING.md are true, and their commands can be copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import test_matrix as matrix
from support import rooms
from support.guides import ROOT, blocks, document, project_table, section

from codeartifact_pipenv.cli import OWN_VERBS
from codeartifact_pipenv.sandbox.behaviour import SWITCHES, spell
from codeartifact_pipenv.sandbox.controls import FAULTS, usage
from codeartifact_pipenv.settings import SETTINGS
from codeartifact_pipenv.wrapper.pipenv_cli import NEWEST_TESTED

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
DOCUMENTS += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/**/*.md"))


def marked(name: str, mark: str) -> str:
    """Return the part of a document that a comment says is held to the code."""
    found = re.search(rf"<!-- {mark}:.*?-->\n(.*?)\n<!-- /{mark} -->", document(name), re.DOTALL)
    assert found is not None
    return found[1]


def test_settings_table_has_every_setting_of_the_code() -> None:
    rows = ["| option | what it does | from a project |", "| --- | --- | --- |"]
    for setting in SETTINGS.values():
        option = f"{setting.option} {setting.metavar}".rstrip()
        rows.append(f"| `{option}` | {setting.help} | {'no' if setting.personal else 'yes'} |")
    assert marked("examples/guides/settings.md", "settings") == "\n".join(rows)


def test_tables_of_the_sandbox_guide_list_every_fault_and_behaviour() -> None:
    tables = {
        "controls": [
            re.sub(r"\[--times COUNT\] (\[--on ON\] )?\[--name NAME\]", "...", f"`{usage(name)}`")
            for name in FAULTS
        ],
        "behaviours": [
            f"`{name}` | {', '.join(f'`{spell(value)}`' for value in values)}"
            for name, values in SWITCHES.items()
        ],
    }
    for name, expected in tables.items():
        rows = marked("examples/guides/sandbox.md", name).splitlines()[2:]
        assert [row.removeprefix("| ").rpartition(" | ")[0] for row in rows] == expected


def test_table_of_what_works_counts_the_checks_of_the_matrix() -> None:
    every, newest = len(matrix.ALL), len(matrix.ALL) + len(matrix.NEWEST_ONLY)
    columns = ["newest", *reversed(matrix.OLDER)]
    counts = " | ".join(map(str, [newest] + [every] * len(matrix.OLDER)))
    rows = [f"| Pipfile | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    rows += [f"| {text} | {counts} |" for text in matrix.NAMES.values()]
    assert marked("examples/guides/compatibility.md", "works") == "\n".join(rows)


def test_supported_versions_are_those_of_the_code() -> None:
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(project_table()["classifiers"]))
    text = document("examples/guides/compatibility.md")
    assert f"| Python | {pythons[0]} to {pythons[-1]} |" in text
    assert f"| {matrix.OLDER[0]} and newer; tested up to {NEWEST_TESTED} |" in text


def test_figures_of_the_readme_are_those_of_the_guide() -> None:
    rows = re.findall(r"^\|.*$", section(document("README.md"), "Figures"), re.MULTILINE)
    assert rows
    assert set(rows) <= set(document("examples/guides/performance.md").splitlines())


def test_the_readme_is_short_and_names_every_verb_and_links_every_guide_once() -> None:
    text = document("README.md")
    assert len(text.splitlines()) <= 200
    assert [verb for verb in OWN_VERBS if f"pipenv-ca {verb}" not in text] == []
    linked = re.findall(r"\]\((examples/guides/[\w-]+\.md|[A-Z]+\.md)\)", text)
    guides = [name for name in DOCUMENTS if name.startswith("examples/guides/")]
    assert sorted(linked) == sorted([*guides, "CONTRIBUTING.md", "SECURITY.md"])


def test_the_picture_of_the_rooms_is_that_of_the_code() -> None:
    text = document("CONTRIBUTING.md")
    drawn = rooms.PICTURE.findall(text)
    assert drawn == [rooms.picture()], "draw it again: python tests/support/rooms.py"
    told = re.findall(r"`([\w.]+/?)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", text)))
    assert sorted(told) == sorted(re.findall(r'\["(.*?)"\]', drawn[0]))


def test_files_that_contributors_are_sent_to_exist() -> None:
    rows = section(document("CONTRIBUTING.md"), "Where do I change X?")
    paths = re.findall(r"`(?:python )?([\w./-]+(?:\.py|\.md|\.toml|/|/run))`", rows)
    assert len(paths) > 40
    for path in paths:
        assert (ROOT / path).exists() or (rooms.PACKAGE / path).exists(), path


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's titles, as GitHub and GitLab make them."""
    text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_a_document_lead_somewhere_and_its_commands_have_no_prompt(name: str) -> None:
    path = ROOT / name
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document(name)):
        found = path.parent / target if target else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"
    for _, block in blocks(document(name)):
        assert re.findall(r"^(?:\$|>|PS>) .*$", block, re.MULTILINE) == []
