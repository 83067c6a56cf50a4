"""Reading, formatting and editing locks."""

from __future__ import annotations

import copy
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipenv.vendor.plette import Lockfile

from codeartifact_pipenv.project.edit import final_lock, format_lock, lock_with_sources_at
from codeartifact_pipenv.project.pipfile import has_direct_references, parse_lock, read_lock

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "http://127.0.0.1:4711/simple"

# Written by pipenv 2026.10.3.
REAL = b"""\
{
    "_meta": {
        "hash": {
            "sha256": "dbf486df1aeceaee9c615f2384d93f1eb28664d65735f08ec8bc515509e8d4d1"
        },
        "pipfile-spec": 6,
        "requires": {
            "python_version": "3.11"
        },
        "sources": [
            {
                "name": "pypi",
                "url": "https://pypi.org/simple",
                "verify_ssl": true
            }
        ]
    },
    "default": {
        "six": {
            "hashes": [
                "sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
                "sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81"
            ],
            "markers": "python_version >= '3'",
            "version": "==1.17.0"
        }
    },
    "develop": {},
    "docs": {
        "toml": {
            "hashes": [
                "sha256:806143ae5bfb6a3c6e736a764057db0e6a0e05e338b5630894a5f779cabb4f9b"
            ],
            "index": "pypi",
            "version": "==0.10.2"
        }
    }
}
"""
PYPI = {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": True}
TEAM = {"name": "ca", "url": "https://aws:${T}@x.example/pypi/team/simple/", "verify_ssl": True}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def real() -> dict[str, Any]:
    document = parse_lock(REAL)
    assert document is not None
    return document


def test_a_lock_of_pipenv_is_written_back_identically() -> None:
    assert format_lock(real()) == REAL


def test_locks_are_formatted_as_by_pipenv() -> None:
    document = {
        "docs": {"z": {"version": "==1", "hashes": [], "extras": ["b", "a"]}, "a": {}},
        "Zoo": {},
        "develop": {"caf\N{LATIN SMALL LETTER E WITH ACUTE}": {"path": "./\N{SNOWMAN}/\\\t"}},
        "default": {"x": {"editable": True, "git": "https://example.com/x", "ref": "main"}},
        "_meta": {
            "sources": [PYPI, TEAM],
            "requires": {},
            "pipfile-spec": 6,
            "hash": {"sha256": "0" * 64},
        },
    }
    out = io.StringIO()
    Lockfile(copy.deepcopy(document)).dump(out)
    assert format_lock(document) == out.getvalue().encode()


@given(st.binary())
def test_any_bytes_raise_nothing(data: bytes) -> None:
    assert parse_lock(data) is None


@given(json_values)
def test_other_json_is_not_a_lock(value: Any) -> None:
    for document in (value, {"_meta": value}):
        assert parse_lock(json.dumps(document).encode()) is None
    meta = {"sources": value, "hash": {"sha256": ""}}
    document = parse_lock(json.dumps({"_meta": meta}).encode())
    assert document is None or lock_with_sources_at(document, LOOPBACK, "1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        REAL[:-10],
        b'{"_meta": {"sources": [], "hash": {}}}',
        b'{"_meta": {"hash": {"sha256": ""}}}',
        b'{"_meta": {"hash": "x", "sources": []}}',
        b"<<<<<<< HEAD\n" + REAL,
        "{}".encode("utf-16")[:-1],
    ],
)
def test_an_incomplete_lock_is_not_a_lock(data: bytes) -> None:
    assert parse_lock(data) is None


@pytest.mark.parametrize("digest", [None, "1" * 64])
def test_all_sources_get_one_url(digest: str | None) -> None:
    document = real()
    document["_meta"]["sources"] = [{**PYPI, "verify_ssl": False}, TEAM]
    before = copy.deepcopy(document)
    staged = lock_with_sources_at(document, LOOPBACK, digest)
    assert document == before
    assert staged["_meta"]["sources"] == [
        {"name": "pypi", "url": LOOPBACK, "verify_ssl": True},
        {"name": "ca", "url": LOOPBACK, "verify_ssl": True},
    ]
    wanted = before["_meta"]["hash"]["sha256"] if digest is None else digest
    assert staged["_meta"]["hash"] == {"sha256": wanted}
    for part in (before, staged):
        del part["_meta"]["sources"], part["_meta"]["hash"]
    assert staged == before


def test_the_final_lock_has_sources_hash_and_indexes() -> None:
    document = real()
    document["develop"] = {
        "orb": {"version": "==1", "hashes": ["sha256:1"], "index": "pypi"},
        "local": {"path": ".", "editable": True},
        "repo": {"git": "https://example.com/x", "ref": "main"},
        "odd": "no table",
    }
    document["tools"] = "no table"
    before = copy.deepcopy(document)
    asked = []

    def index_of(name: str, entry: dict[str, Any]) -> str | None:
        asked.append((name, entry["version"]))
        return {"orb": "ca", "six": "pypi"}.get(name)

    done = final_lock(document, [PYPI, TEAM], "2" * 64, index_of)
    assert document == before
    assert done["_meta"]["sources"] == [PYPI, TEAM]
    assert done["_meta"]["hash"] == {"sha256": "2" * 64}
    assert sorted(asked) == [("orb", "==1"), ("six", "==1.17.0"), ("toml", "==0.10.2")]
    before["_meta"] |= {"sources": [PYPI, TEAM], "hash": {"sha256": "2" * 64}}
    before["develop"]["orb"]["index"] = "ca"
    before["default"]["six"]["index"] = "pypi"
    assert done == before


def test_a_missing_or_invalid_lock_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "Pipfile.lock"
    assert read_lock(str(path)) is None
    assert read_lock(str(tmp_path)) is None
    assert read_lock("") is None
    path.write_bytes(b"\xff")
    assert read_lock(str(path)) is None
    path.write_bytes(REAL)
    assert read_lock(str(path)) == real()


@pytest.mark.parametrize(
    ("entry", "builds"),
    [
        ({"path": ".", "editable": True}, True),
        ({"file": "https://example.com/x.tar.gz"}, True),
        ({"git": "https://example.com/x", "ref": "main"}, True),
        ({"version": "==1"}, False),
        ("no table", False),
    ],
)
@pytest.mark.parametrize("category", ["default", "develop", "tests"])
def test_entries_without_version_are_direct_references(
    entry: object, builds: bool, category: str
) -> None:
    document = real()
    assert not has_direct_references(document)
    assert not has_direct_references(None)
    document.setdefault(category, {})["x"] = entry
    assert has_direct_references(document) is builds
