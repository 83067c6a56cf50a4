"""Whether a Pipfile has the shape that pipenv reads; else pipenv ends in a traceback.

The rules are those of plette, which pipenv carries with it; a test holds the two together.
"""

from __future__ import annotations

import re

from codeartifact_pipenv.project.pipfile import is_category

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.findings import Finding

# The keys of a package's entry (plette.models.packages.KNOWN_PACKAGE_KEYS).
PACKAGE_KEYS = frozenset(
    {"bzr", "editable", "extras", "file", "git", "hashes", "hg", "implementation_name"}
    | {"implementation_version", "index", "markers", "name", "no_binary", "os_markers", "os_name"}
    | {"path", "pip_args", "platform_machine", "platform_python_implementation"}
    | {"platform_release", "platform_system", "platform_version", "python_full_version"}
    | {"python_version", "ref", "skip_resolver", "subdirectory", "svn", "sys_platform", "version"}
)
_WORDS: dict[type, str] = {bool: "true or false", str: "a text", list: "a list"}
# By table: the types of keys.
_TYPES: dict[str, dict[str, type]] = {
    "source": {"verify_ssl": bool},
    "package": {"editable": bool, "version": str, "extras": list, "pip_args": list},
    "requires": {"python_version": str, "python_full_version": str},
    "pipenv": {"allow_prereleases": bool, "cool-down-period": str},
}


def review_shape(file: File) -> Iterator[Finding]:
    """Yield what pipenv cannot read of a Pipfile; names and URLs of sources are told elsewhere."""
    document = file.document or {}
    for name in ("requires", "pipenv", "scripts"):
        if not isinstance(document.get(name, {}), dict):
            yield _invalid(file, f"{name} is no table.", f"Write [{name}].", name)
        elif name in _TYPES:
            yield from _types(file, name, document.get(name, {}), name)
    sources = document.get("source")
    for number, source in enumerate(sources if isinstance(sources, list) else []):
        if isinstance(source, dict):
            yield from _types(file, "source", source, "source", number)
    period = document["pipenv"] if isinstance(document.get("pipenv"), dict) else {}
    if isinstance(text := period.get("cool-down-period"), str) and not re.match(r"^\d+d$", text):
        said = f"cool-down-period is {text!r}, and is to be a number of days."
        yield _invalid(file, said, 'Write it as "30d".', "pipenv", "cool-down-period")
    yield from _scripts(file, document.get("scripts"))
    for category, entries in document.items():
        if is_category(category):
            yield from _packages(file, category, entries)


def _packages(file: File, category: str, entries: object) -> Iterator[Finding]:
    if not isinstance(entries, dict):
        said = f"{category} is no table of packages."
        yield _invalid(file, said, f"Write [{category}], and `name = version` below it.", category)
        return
    for name, value in entries.items():
        place = (category, name)
        if isinstance(value, dict):
            yield from _types(file, "package", value, *place)
            for key in sorted(value.keys() - PACKAGE_KEYS):
                said = f"The entry of {name} has {key}, which pipenv does not know and stops at."
                yield _invalid(file, said, "Remove it, or correct its spelling.", *place, key)
        elif not isinstance(value, str):
            said = f"The entry of {name} is neither a version nor a table."
            yield _invalid(file, said, f'Write {name} = "*", or a version in quotes.', *place)


def _scripts(file: File, scripts: object) -> Iterator[Finding]:
    for name, value in scripts.items() if isinstance(scripts, dict) else ():
        if not value or not isinstance(value, (str, list, dict)):
            said = f"The script {name} is no command."
            yield _invalid(file, said, "Write the command as a text.", "scripts", name)


def _types(
    file: File, table: str, values: dict[str, object], *place: str | int
) -> Iterator[Finding]:
    for key, kind in _TYPES[table].items():
        if key in values and not isinstance(values[key], kind):
            said = f"{key} is to be {_WORDS[kind]}."
            yield _invalid(file, said, "Correct its value.", *place, key)


def _invalid(file: File, sentence: str, hint: str, *keys: str | int) -> Finding:
    return file.finding("pipfile-invalid", sentence, hint, *keys)
