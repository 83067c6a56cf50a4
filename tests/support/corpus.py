"""Pipfiles as teams with CodeArtifact write them, in every style that there is."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parent.parent / "corpus"
PIPFILES = {path.name.removesuffix(".Pipfile"): path for path in CORPUS.glob("*.Pipfile")}

# What is no TOML.
BROKEN = {"broken_bare_version", "broken_conflict", "broken_duplicate_key", "broken_string"}
# What is TOML, and pipenv does not take.
REFUSED = {"source_without_name", "source_without_url", "unknown_entry_key", "verify_ssl_text"}

READABLE = sorted(PIPFILES.keys() - BROKEN)
VALID = sorted(PIPFILES.keys() - BROKEN - REFUSED)


def read(name: str) -> str:
    """Return a Pipfile's text with its newlines as they are."""
    return PIPFILES[name].read_bytes().decode()


def lock_of(name: str) -> Path | None:
    """Return the lock that stands beside a Pipfile; None where there is none."""
    path = CORPUS / f"{name}.Pipfile.lock"
    return path if path.exists() else None
