"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import test_matrix as matrix

from codeartifact_pipenv.cli import OWN_VERBS
from codeartifact_pipenv.settings import SETTINGS

_ROOT = Path(__file__).parent.parent
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    "README.md",
    "SECURITY.md",
    *sorted(str(p.relative_to(_ROOT)) for p in _ROOT.glob("examples/**/*.md")),
]


def settings_table() -> str:
    """Return the table of settings as the README must have it."""
    rows = ["| option | what it does | from a project |", "| --- | --- | --- |"]
    for setting in SETTINGS.values():
        option = f"{setting.option} {setting.metavar}".rstrip()
        rows.append(f"| `{option}` | {setting.help} | {'no' if setting.personal else 'yes'} |")
    return "\n".join(rows)


def test_settings_table_is_that_of_the_code() -> None:
    """The README's table of settings names each of them, with its help and its place."""
    marked = re.search(r"<!-- settings:.*?-->\n(.*?)\n<!-- /settings -->", _README, re.DOTALL)
    assert marked is not None
    assert marked[1] == settings_table()


def works_table() -> str:
    """Return what works, as the README must have it: the matrix, layout by version."""
    every, newest = len(matrix.ALL), len(matrix.ALL) + len(matrix.NEWEST_ONLY)
    versions = (*reversed(matrix.OLDER),)
    rows = [
        f"| Pipfile | {' | '.join(['newest', *versions])} |",
        f"| --- |{' --- |' * (1 + len(versions))}",
    ]
    counts = f"{newest} | " + " | ".join([str(every)] * len(versions))
    rows += [f"| {text} | {counts} |" for text in matrix.NAMES.values()]
    return "\n".join(rows)


def test_table_of_what_works_is_that_of_the_matrix() -> None:
    """The README counts, for each layout and each pipenv, the checks that the matrix makes."""
    marked = re.search(r"<!-- works:.*?-->\n(.*?)\n<!-- /works -->", _README, re.DOTALL)
    assert marked is not None
    assert marked[1] == works_table()


def test_every_own_verb_is_in_the_readme() -> None:
    """The README shows every verb of this program's own."""
    assert [verb for verb in OWN_VERBS if f"pipenv-ca {verb}" not in _README] == []


def test_ci_runs_the_test_line_of_the_readme() -> None:
    """The line that CI takes out of the README is there, once, and begins with a fresh venv."""
    lines = re.findall(r"^\$ (python3 -m venv .* && \.venv/bin/pytest)$", _README, re.MULTILINE)
    assert len(lines) == 1
    assert "pip install '.[test]'" in lines[0]


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's titles, as GitHub and GitLab make them."""
    lines = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    titles = re.findall(r"^#+ (.+)$", lines, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_links_to_is_there(name: str) -> None:
    """No relative link of the README, the guides and the examples leads nowhere."""
    path = _ROOT / name
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        found = path.parent / target if target else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"
