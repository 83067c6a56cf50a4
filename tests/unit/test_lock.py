"""Reading, formatting and editing locks."""

from __future__ import annotations

import copy
import io
import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from pipenv.vendor.plette import Lockfile

from codeartifact_pipenv.project.lock import format_lock, lock_with_sources_at
from codeartifact_pipenv.project.pipfile import parse_lock, read_lock

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "http://127.0.0.1:4711/simple"
PYPI = {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": False}
TEAM = {"name": "ca", "url": "https://aws:${T}@x.example/pypi/team/simple/", "verify_ssl": True}
PROXIED = [{"name": name, "url": LOOPBACK, "verify_ssl": True} for name in ("pypi", "ca")]
DIRECT = {
    "local": {"path": "./\N{SNOWMAN}/\\\t", "editable": True},
    "archive": {"file": "https://example.com/x.tar.gz"},
    "repo": {"git": "https://example.com/x", "ref": "main"},
}


def a_lock(**categories: dict[str, Any]) -> dict[str, Any]:
    return {
        "docs": {"toml": {"hashes": [], "index": "pypi", "version": "==0.10.2", "extras": ["b"]}},
        "develop": {},
        "default": {"six": {"hashes": ["sha256:2", "sha256:1"], "version": "==1.17.0"}},
        "_meta": {
            "sources": [dict(PYPI), dict(TEAM)],
            "requires": {"python_version": "3.11"},
            "pipfile-spec": 6,
            "hash": {"sha256": "0" * 64},
        },
        **categories,
    }


def test_locks_are_formatted_and_read_as_by_pipenv(tmp_path: Path) -> None:
    document = a_lock(Zoo={}, develop=DIRECT)
    out = io.StringIO()
    Lockfile(copy.deepcopy(document)).dump(out)
    assert format_lock(document) == out.getvalue().encode()
    path = tmp_path / "Pipfile.lock"
    assert read_lock(str(path)) is None
    path.write_bytes(format_lock(document))
    assert read_lock(str(path)) == document


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values)
def test_other_json_is_not_a_lock(value: Any) -> None:
    for document in (value, {"_meta": value}):
        assert parse_lock(json.dumps(document).encode()) is None
    meta = {"sources": value, "hash": {"sha256": ""}}
    document = parse_lock(json.dumps({"_meta": meta}).encode())
    assert document is None or lock_with_sources_at(document, LOOPBACK, "1")
