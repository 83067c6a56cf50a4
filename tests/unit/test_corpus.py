"""The corpus of Pipfiles is what it says it is, and no edit damages any of them."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.corpus import BROKEN, CORPUS, PIPFILES, READABLE, REFUSED, VALID, lock_of, read
from support.programs import run
from support.projects import pipfile_hash

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.parsing import load_toml_bytes
from codeartifact_pipenv.project.edit import (
    changes,
    pipfile_hashes,
    sources_of,
    with_changes,
    with_sources_at,
)
from codeartifact_pipenv.project.entries import entries_of
from codeartifact_pipenv.project.names import normalise

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "http://127.0.0.1:8000/index/simple/"

_PIPENV = """
import json, os, sys
from pipenv.project import Project

said = {}
for path in sys.argv[1:]:
    os.environ["PIPENV_PIPFILE"] = path
    try:
        project = Project(chdir=False)
        # (A Project had it all itself before 2026.)
        pipfile = getattr(project, "pipfile", None)
        parsed = pipfile.parsed if pipfile else project.parsed_pipfile
        hash = pipfile.calculate_hash() if pipfile else project.calculate_pipfile_hash()
        said[path] = [sorted(parsed), hash]
    except Exception as error:
        said[path] = type(error).__name__
print()
print(json.dumps(said))
"""


def test_there_are_enough_and_no_two_are_alike() -> None:
    """There are at least 60 Pipfiles of as many texts, and each lock has its Pipfile."""
    assert len(PIPFILES) >= 60
    assert len({path.read_bytes() for path in PIPFILES.values()}) == len(PIPFILES)
    assert PIPFILES.keys() >= BROKEN | REFUSED
    beside = {path.name.removesuffix(".Pipfile.lock") for path in CORPUS.glob("*.lock")}
    assert beside <= PIPFILES.keys()
    assert len(beside) >= 5
    assert {path for path in CORPUS.iterdir() if path.suffix not in {".Pipfile", ".lock"}} == set()


def test_styles_that_git_or_an_editor_may_undo() -> None:
    """Newlines, blanks and endings of the corpus are those that the names speak of."""
    crlf = [name for name in PIPFILES if name.startswith("crlf")]
    assert len(crlf) >= 3
    for name in crlf:
        assert "\r\n" in read(name)
        assert "\n" not in read(name).replace("\r\n", "")
    mixed = read("mixed_newlines")
    assert mixed.count("\r\n") not in {0, mixed.count("\n")}
    assert not read("no_final_newline").endswith("\n")
    assert read("empty") == ""
    assert "  \n" in read("blanks_at_line_ends")
    assert "\t" in read("tabs")
    for name in ("long_sorted", "long_grouped_comments"):
        assert len(list(entries_of(load_toml_bytes(PIPFILES[name].read_bytes())))) > 200


@pytest.mark.wide
def test_pipenv_takes_those_that_are_meant_to_be_valid(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    """Pipenv itself reads each valid Pipfile with all of its sections, and refuses the others."""
    copies = {}
    for name, path in PIPFILES.items():
        copies[name] = tmp_path / name / "Pipfile"
        copies[name].parent.mkdir()
        copies[name].write_bytes(path.read_bytes())
    words = [sys.executable, "-c", _PIPENV, *map(str, copies.values())]
    # (For a Pipfile without sources pipenv takes the index of pip's configuration.)
    env = clean_env | {"PIP_CONFIG_FILE": os.devnull}
    done = run(*words, env=env, cwd=tmp_path)
    assert done.status == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    taken = {name for name, copy in copies.items() if isinstance(said[str(copy)], list)}
    assert sorted(taken) == VALID
    for name in VALID:
        sections, found_hash = said[str(copies[name])]
        # (pipenv adds sections that it always has.)
        assert load_toml_bytes(PIPFILES[name].read_bytes()).keys() <= set(sections)
        assert found_hash in pipfile_hashes(read(name)), name


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_pipenv_refuses_we_refuse(name: str) -> None:
    """A Pipfile that pipenv cannot take is told as one, with a next step."""
    with pytest.raises(ConfigurationError, match="pipenv cannot read the Pipfile") as caught:
        pipfile_hash(read(name))
    assert caught.value.hint


@pytest.mark.parametrize("name", READABLE)
def test_sources_that_lead_to_loopback(name: str) -> None:
    """In a copy every source leads to loopback, and all else says what it said."""
    text = read(name)
    staged = with_sources_at(text, LOOPBACK)
    there = sources_of(staged)
    assert [source["url"] for source in there] == [LOOPBACK] * len(sources_of(text))
    before, after = load_toml_bytes(text.encode()), load_toml_bytes(staged.encode())
    assert {**after, "source": before.get("source")} == {"source": None, **before}


@pytest.mark.parametrize("name", READABLE)
def test_nothing_changed_is_nothing_written(name: str) -> None:
    """A command that changed no entry leaves the Pipfile byte for byte, whatever it named."""
    text = read(name)
    staged = with_sources_at(text, LOOPBACK)
    every = {normalise(n) for _, n, _ in entries_of(load_toml_bytes(text.encode()))}
    for named in (set[str](), every):
        found = changes(staged, staged, named=named, index_of=lambda _n, _v: None)
        assert with_changes(text, found) == (text, [])


@pytest.mark.parametrize("name", READABLE)
def test_a_package_more_is_one_more(name: str) -> None:
    """A package that pipenv added is added; every line of the user's stays as it is."""
    text = read(name)
    document = load_toml_bytes(text.encode())
    after = '[packages]\nnew-one = "*"\n'
    new = changes("", after, named={"new-one"}, index_of=lambda _n, _v: None)
    added, refused = with_changes(text, new)
    assert refused == []
    found = load_toml_bytes(added.encode())
    packages = document.setdefault("packages", {})
    assert isinstance(packages, dict)
    packages["new-one"] = "*"
    assert found == document
    left = added.splitlines()
    if name != "packages_as_inline_table":  # one line has it all
        for line in text.splitlines():
            left.remove(line)
        assert [line for line in left if line.strip() not in {"", "[packages]"}] == [
            'new-one = "*"'
        ]


@pytest.mark.parametrize("name", [name for name in PIPFILES if lock_of(name)])
def test_locks_are_what_their_names_say(name: str) -> None:
    """Each lock is JSON and fits its Pipfile, except those that are bad on purpose."""
    path = lock_of(name)
    assert path is not None
    if name == "lock_broken":
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(path.read_text(encoding="utf-8"))
        return
    lock = json.loads(path.read_text(encoding="utf-8"))
    fits = lock["_meta"]["hash"]["sha256"] == pipfile_hash(read(name))
    assert fits == (name != "lock_outdated")
