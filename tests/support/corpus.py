"""Pipfiles in every style, as teams with CodeArtifact write them."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parent.parent / "corpus"
PIPFILES = {path.name.removesuffix(".Pipfile"): path for path in CORPUS.glob("*.Pipfile")}

# These are not TOML.
BROKEN = {"broken_bare_version", "broken_conflict", "broken_duplicate_key", "broken_string"}
# These are TOML that pipenv rejects.
REFUSED = {"source_without_name", "source_without_url", "unknown_entry_key", "verify_ssl_text"}


def read(name: str) -> str:
    """Return a Pipfile's text with its newlines as they are."""
    return PIPFILES[name].read_bytes().decode()


def lock_of(name: str) -> Path | None:
    """Return the lock of a Pipfile, if it has one."""
    path = CORPUS / f"{name}.Pipfile.lock"
    return path if path.exists() else None
