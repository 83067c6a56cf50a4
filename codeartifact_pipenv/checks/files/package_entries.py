"""What is wrong with the packages that a Pipfile lists."""

from __future__ import annotations

from codeartifact_pipenv.checks.files.project_file import strings_of
from codeartifact_pipenv.checks.files.source_tables import review_texts
from codeartifact_pipenv.project.entries import entries_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.files.private import Private
    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.entries import Entry


def review_packages(file: File, sources: Sources, private: Private) -> Iterator[Finding]:
    """Yield what is wrong with the packages of a Pipfile."""
    for entry in entries_of(file.document):
        place = (entry.category, entry.written)
        yield from _index(file, entry, sources, private)
        yield from review_texts(file, list(strings_of(entry.value, place)), sources)


def _index(file: File, entry: Entry, sources: Sources, private: Private) -> Iterator[Finding]:
    if not entry.is_indexed:
        return
    place = (entry.category, entry.written)
    if entry.source is not None:
        if entry.source not in sources.names and not sources.findings:
            listed = ", ".join(sorted(sources.names)) or "none but pipenv's own default"
            yield file.finding(
                "index-unknown",
                f"{entry.written} names the index {entry.source}, and there is no such source.",
                f"Name one of the Pipfile's sources ({listed}), or add it as a [[source]].",
                *place,
                "index",
            )
        elif private.is_listed(entry.name) and sources.is_foreign(entry.source):
            yield file.finding(
                "index-public",
                f"{entry.written} is private, and its entry names the index {entry.source}, which "
                "is not CodeArtifact's.",
                "Name the repository that has it.",
                *place,
                "index",
            )
        return
    if not private.is_private(entry.name) or not is_public_default(sources):
        return
    found = private.sources(entry.name)
    if not found and sources.may_be_ours:
        return  # told of the source itself
    if not found:
        yield file.finding(
            "source-missing",
            f"{entry.written} is private, and no source of this Pipfile is CodeArtifact's.",
            "Add it: `pipenv-ca fix --add-source URL`.",
            *place,
        )
    elif sources.default not in found:
        which = " or ".join(f'index = "{name}"' for name in found)
        yield file.finding(
            "index-missing",
            f"{entry.written} is private, and pipenv looks for it in "
            f"{sources.default or 'the public index'}: its entry names no index.",
            f"Add {which} to its entry.",
            *place,
        )


def is_public_default(sources: Sources) -> bool:
    """Whether what names no index is looked for elsewhere than in CodeArtifact, for certain."""
    if sources.findings:  # of some source nobody knows where it is
        return False
    return sources.default not in sources.unclear
