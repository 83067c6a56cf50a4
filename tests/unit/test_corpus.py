"""The corpus of Pipfiles matches its names, and no edit damages a Pipfile."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.corpus import PIPFILES, READABLE, VALID, lock_of, read
from support.programs import run
from support.projects import pipfile_hash

from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.project.edit import changes, with_changes
from codeartifact_pipenv.project.lock import pipfile_hashes
from codeartifact_pipenv.project.pipfile import entries_of, normalise, parse_lock
from codeartifact_pipenv.project.toml_text import sources_of, with_sources_at

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "http://127.0.0.1:8000/index/simple/"

_PIPENV = """
import json, os, sys
from pipenv.project import Project

results = {}
for path in sys.argv[1:]:
    os.environ["PIPENV_PIPFILE"] = path
    try:
        project = Project(chdir=False)
        # Before 2026, Project had these attributes itself.
        pipfile = getattr(project, "pipfile", None)
        parsed = pipfile.parsed if pipfile else project.parsed_pipfile
        hash = pipfile.calculate_hash() if pipfile else project.calculate_pipfile_hash()
        results[path] = [sorted(parsed), hash]
    except Exception as error:
        results[path] = type(error).__name__
print()
print(json.dumps(results))
"""


def test_corpus_files_have_the_newlines_and_blanks_in_their_names() -> None:
    for name in ("crlf", "crlf_comments", "crlf_no_final_newline"):
        assert "\r\n" in read(name)
        assert "\n" not in read(name).replace("\r\n", "")
    mixed = read("mixed_newlines")
    assert mixed.count("\r\n") not in {0, mixed.count("\n")}
    assert not read("no_final_newline").endswith("\n")
    assert "  \n" in read("blanks_at_line_ends")
    assert "\t" in read("tabs")


@pytest.mark.wide
def test_pipenv_reads_exactly_the_valid_pipfiles_of_the_corpus(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    copies = {}
    for name, path in PIPFILES.items():
        copies[name] = tmp_path / name / "Pipfile"
        copies[name].parent.mkdir()
        copies[name].write_bytes(path.read_bytes())
    words = [sys.executable, "-c", _PIPENV, *map(str, copies.values())]
    # For a Pipfile without sources, pipenv uses the index in pip's configuration.
    env = clean_env | {"PIP_CONFIG_FILE": os.devnull}
    done = run(*words, env=env, cwd=tmp_path)
    assert done.status == 0, done.output
    results: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    taken = {name for name, copy in copies.items() if isinstance(results[str(copy)], list)}
    assert sorted(taken) == VALID
    for name in VALID:
        sections, found_hash = results[str(copies[name])]
        # Pipenv adds its default sections.
        assert load_toml_bytes(PIPFILES[name].read_bytes()).keys() <= set(sections)
        assert found_hash in pipfile_hashes(load_toml_bytes(PIPFILES[name].read_bytes())), name


@pytest.mark.parametrize("name", READABLE)
def test_copy_points_every_source_to_loopback_and_changes_nothing_else(name: str) -> None:
    text = read(name)
    staged = with_sources_at(text, LOOPBACK)
    urls = [source["url"] for source in sources_of(staged)]
    assert urls == [LOOPBACK] * len(sources_of(text))
    before, after = load_toml_bytes(text.encode()), load_toml_bytes(staged.encode())
    assert {**after, "source": before.get("source")} == {"source": None, **before}
    every = {normalise(n) for _, n, _ in entries_of(load_toml_bytes(text.encode()))}
    for named in (set[str](), every):
        found = changes(staged, staged, named=named, index_of=lambda _n, _v: None)
        assert with_changes(text, found) == (text, [])


@pytest.mark.parametrize("name", [name for name in PIPFILES if lock_of(name)])
def test_lock_fits_its_pipfile_unless_it_is_bad_on_purpose(name: str) -> None:
    path = lock_of(name)
    assert path is not None
    lock = parse_lock(path.read_bytes())
    assert (lock is None) == (name == "lock_broken")
    if lock is not None:
        fits = lock["_meta"]["hash"]["sha256"] == pipfile_hash(read(name))
        assert fits == (name != "lock_outdated")
