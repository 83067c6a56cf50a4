"""README, guides and CONTRIBUTING.md say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import test_matrix as matrix
from support import rooms
from support.checkout import project_table
from support.guides import blocks, section

from codeartifact_pipenv.cli import OWN_VERBS
from codeartifact_pipenv.settings import SETTINGS
from codeartifact_pipenv.wrapper.pipenv_cli import NEWEST_TESTED

_ROOT = Path(__file__).parent.parent
_MOST_LINES = 200
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(str(p.relative_to(_ROOT)) for p in _ROOT.glob("examples/**/*.md")),
]


def read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def settings_table() -> str:
    """Return the table of settings as the guide must have it."""
    rows = ["| option | what it does | from a project |", "| --- | --- | --- |"]
    for setting in SETTINGS.values():
        option = f"{setting.option} {setting.metavar}".rstrip()
        rows.append(f"| `{option}` | {setting.help} | {'no' if setting.personal else 'yes'} |")
    return "\n".join(rows)


def test_settings_table_is_that_of_the_code() -> None:
    """The guide's table of settings names each of them, with its help and its place."""
    text = read("examples/guides/settings.md")
    marked = re.search(r"<!-- settings:.*?-->\n(.*?)\n<!-- /settings -->", text, re.DOTALL)
    assert marked is not None
    assert marked[1] == settings_table()


def works_table() -> str:
    """Return what works, as the guide must have it: the matrix, layout by version."""
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
    """The guide counts, for each layout and each pipenv, the checks that the matrix makes."""
    text = read("examples/guides/compatibility.md")
    marked = re.search(r"<!-- works:.*?-->\n(.*?)\n<!-- /works -->", text, re.DOTALL)
    assert marked is not None
    assert marked[1] == works_table()


def test_supported_versions_are_those_of_the_code() -> None:
    """The guide names the oldest and newest Python and pipenv that are declared and tested."""
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(project_table()["classifiers"]))
    text = read("examples/guides/compatibility.md")
    assert f"| Python | {pythons[0]} to {pythons[-1]} |" in text
    assert f"| {matrix.OLDER[0]} and newer; tested up to {NEWEST_TESTED} |" in text


def test_figures_of_the_readme_are_those_of_the_guide() -> None:
    """The README's figures stand in the guide to performance, too."""
    rows = re.findall(r"^\|.*$", section(read("README.md"), "Figures"), re.MULTILINE)
    assert rows
    assert set(rows) <= set(read("examples/guides/performance.md").splitlines())


def test_every_own_verb_is_in_the_readme() -> None:
    """The README shows every verb of this program's own."""
    text = read("README.md")
    assert [verb for verb in OWN_VERBS if f"pipenv-ca {verb}" not in text] == []


def test_the_readme_is_short_and_leads_to_every_guide_once() -> None:
    """The README has at most 200 lines, and links each guide exactly once."""
    text = read("README.md")
    assert len(text.splitlines()) <= _MOST_LINES
    linked = re.findall(r"\]\((examples/guides/[\w-]+\.md|[A-Z]+\.md)\)", text)
    guides = [f"examples/guides/{p.name}" for p in (_ROOT / "examples/guides").glob("*.md")]
    assert sorted(linked) == sorted([*guides, "CONTRIBUTING.md", "SECURITY.md"])


def test_ci_runs_the_test_line_of_the_readme() -> None:
    """The line that CI takes out of the README is there, once, and begins with a fresh venv."""
    pattern = r"python3 -m venv .* && \.venv/bin/pytest"
    lines = re.findall(rf"^{pattern}$", read("README.md"), re.MULTILINE)
    assert len(lines) == 1
    assert "pip install '.[test]'" in lines[0]
    assert f"grep -x '{pattern}' README.md" in read(".ci/run")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_blocks_can_be_copied(name: str) -> None:
    """No line of a command block begins with a prompt."""
    for _, block in blocks(read(name)):
        assert re.findall(r"^(?:\$|>|PS>) .*$", block, re.MULTILINE) == []


def test_the_picture_of_the_rooms_is_that_of_the_code() -> None:
    """CONTRIBUTING.md shows which rooms import which, and says what is in each."""
    text = read("CONTRIBUTING.md")
    drawn = rooms.PICTURE.findall(text)
    assert drawn == [rooms.picture()], "draw it again: python tests/support/rooms.py"
    told = re.findall(r"`([\w.]+/?)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", text)))
    assert sorted(told) == sorted(re.findall(r'\["(.*?)"\]', drawn[0]))


def test_files_that_contributors_are_sent_to_exist() -> None:
    """Every file and name in the table of likely changes exists."""
    rows = section(read("CONTRIBUTING.md"), "Where do I change X?")
    found = ""
    for word in re.findall(r"`([^`]+)`", rows):
        path = word.removeprefix("python ")
        if path.endswith((".py", ".md", ".toml", "/")) or path == ".ci/run":
            places = [_ROOT / path, rooms.PACKAGE / path]
            existing = [place for place in places if place.exists()]
            assert existing, word
            found += "".join(p.read_text(encoding="utf-8") for p in existing if p.is_file())
    for name in re.findall(r"`([A-Z]\w+|layouts)`", rows):
        assert re.search(rf"\b{name}\b", found), name


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
