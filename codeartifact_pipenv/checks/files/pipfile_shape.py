"""Checks of a Pipfile's tables, keys and types.

The rules that pipenv enforces with a traceback are those of plette, which it vendors; a test
compares them. Of the keys that pipenv ignores, only likely misspellings are reported.
"""

from __future__ import annotations

import re

from codeartifact_pipenv.checks.files.pep508 import MARKERS, is_version
from codeartifact_pipenv.project.pipfile import is_category

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.findings import Finding

# The keys of a package's entry (plette.models.packages.KNOWN_PACKAGE_KEYS).
PACKAGE_KEYS = frozenset(
    {"bzr", "editable", "extras", "file", "git", "hashes", "hg", "implementation_name"}
    | {"implementation_version", "index", "markers", "name", "no_binary", "os_markers", "os_name"}
    | {"path", "pip_args", "platform_machine", "platform_python_implementation"}
    | {"platform_release", "platform_system", "platform_version", "python_full_version"}
    | {"python_version", "ref", "skip_resolver", "subdirectory", "svn", "sys_platform", "version"}
)
# Other words that people write for these keys.
_PACKAGE_WORDS = (
    {"branch": "ref", "tag": "ref", "rev": "ref", "commit": "ref", "revision": "ref"}
    | {"extra": "extras", "marker": "markers", "optional": "extras", "python": "python_version"}
    | {"source": "index", "repository": "index", "registry": "index", "url": "file"}
    | {"platform": "sys_platform", "os": "sys_platform", "develop": "editable"}
)
# By table: its keys, and other words that people write for them.
_KEYS: dict[str, tuple[frozenset[str], dict[str, str]]] = {
    "source": (frozenset({"name", "url", "verify_ssl"}), {"ssl_verify": "verify_ssl"}),
    "requires": (
        frozenset({"python_version", "python_full_version"}),
        {"python": "python_version", "python_requires": "python_version"}
        | {"version": "python_version", "requires_python": "python_version"},
    ),
    # The keys that pipenv 2023.12.1 to 2026.10.3 read (`settings.get`).
    "pipenv": (
        frozenset(
            {"allow_prereleases", "cool-down-period", "disable_pip_input", "package_name_case"}
            | {"install_search_all_sources", "prefetch_index_manifests", "pylock_name", "resolver"}
            | {"resolver_backend", "resolver_timeout_seconds", "sort_pipfile", "use_pylock"}
            | {"use_default_constraints", "venv_in_project"}
        ),
        {
            "pre": "allow_prereleases",
            "prereleases": "allow_prereleases",
            "cooldown": "cool-down-period",
        }
        | {"sort": "sort_pipfile", "pylock": "use_pylock"},
    ),
}
# Other words that people write for pipenv's tables, letters only.
_TABLES = {
    letters: table
    for table, words in {
        "packages": "package packages requirements requirement dependencies dependency deps default",
        "dev-packages": "devpackage devpackages devdependencies devrequirements packagesdev develop",
        "source": "source sources index indexes repositories",
        "requires": "requires require python",
        "scripts": "scripts script",
        "pipenv": "pipenv settings",
    }.items()
    for letters in words.split()
}
_LETTERS = ("packages", "devpackages", "source", "requires", "scripts", "pipenv")
_OF_PACKAGES = ("packages", "dev-packages")
_MINOR, _FULL = "python_version", "python_full_version"
_WORDS: dict[type, str] = {bool: "true or false", str: "a string", list: "a list"}
# By table: the types of keys.
_TYPES: dict[str, dict[str, type]] = {
    "source": {"verify_ssl": bool},
    "package": {"editable": bool, "version": str, "extras": list, "pip_args": list}
    | dict.fromkeys((*MARKERS, "markers", "index", "file", "path", "git", "ref"), str),
    "requires": {"python_version": str, "python_full_version": str},
    "pipenv": {"allow_prereleases": bool, "cool-down-period": str},
}


def review_shape(file: ProjectFile) -> Iterator[Finding]:
    """Yield the tables, keys and values of a Pipfile that pipenv cannot read.

    Names and URLs of sources are checked in ``source_tables``.
    """
    document = file.document or {}
    for name in ("requires", "pipenv", "scripts"):
        table = document.get(name, {})
        if not isinstance(table, dict):
            below = f', and python_version = "{table}" below it' if name == "requires" else ""
            yield _invalid(file, f"{name} is not a table.", f"Write [{name}]{below}.", name)
        elif name in _TYPES:
            yield from _keys(file, name, table, name)
    sources = document.get("source")
    for number, source in enumerate(sources if isinstance(sources, list) else []):
        if isinstance(source, dict):
            yield from _keys(file, "source", source, "source", number)
    yield from _python(file, document.get("requires"))
    yield from _cool_down(file, document.get("pipenv"))
    yield from _scripts(file, document.get("scripts"))
    for category, entries in document.items():
        if is_category(category):
            meant = intended_table(category, entries)
            # Without [[source]], ``source_tables`` reports the misspelt table.
            is_told = isinstance(entries, dict) or meant not in _OF_PACKAGES
            if meant is not None and is_told and (meant != "source" or "source" in document):
                yield misspelt_table(file, category, meant)
            if meant is None or meant in _OF_PACKAGES:
                yield from _packages(file, category, entries, meant or category)


def _cool_down(file: ProjectFile, settings: object) -> Iterator[Finding]:
    text = settings.get("cool-down-period") if isinstance(settings, dict) else None
    if isinstance(text, str) and not re.match(r"^\d+d$", text):
        sentence = f"cool-down-period is {text!r}, but must be a number of days."
        yield _invalid(file, sentence, 'Write it as "30d".', "pipenv", "cool-down-period")


def intended_table(name: str, entries: object) -> str | None:
    """Return the pipenv table that another name seems to mean, or None if it may be a category.

    pipenv takes any table that it does not know for a category of packages.
    """
    if name in _OF_PACKAGES:
        return None
    letters = re.sub(r"[^a-z]", "", name.lower())
    meant = _TABLES.get(letters) or _TABLES.get(_closest(letters, _LETTERS, 0.85) or "")
    # A category may be called `python` or `index`: look at its contents.
    is_it = meant in {None, *_OF_PACKAGES} or letters == meant
    if not is_it and meant == "source":
        tables = entries if isinstance(entries, list) else [entries]
        is_it = letters == "sources" or all(isinstance(t, dict) and "url" in t for t in tables)
    elif not is_it and isinstance(entries, dict):
        known = _KEYS[meant][0] if meant in _KEYS else ()
        values = [value for value in entries.values() if isinstance(value, str)]
        is_it = any(key in known for key in entries) or (
            meant == "scripts" and not all(map(is_version, values))
        )
    return meant if is_it else None


def misspelt_table(file: ProjectFile, name: str, meant: str) -> Finding:
    """Return the finding on a table whose name pipenv does not know."""
    right = f"[[{meant}]]" if meant == "source" else f"[{meant}]"
    if meant in _OF_PACKAGES:
        install = "`pipenv install --dev`" if meant == "dev-packages" else "`pipenv install`"
        sentence = (
            f"pipenv takes [{name}] for a separate category, which {install} does not install."
        )
        hint = f"Write {right}, or give the category a less similar name."
        return file.finding((name,), "table-unknown", sentence, hint)
    sentence = f"pipenv does not know the table [{name}], and reads its keys as packages."
    return _invalid(file, sentence, f"Write {right}.", name)


def _packages(file: ProjectFile, category: str, entries: object, right: str) -> Iterator[Finding]:
    if not isinstance(entries, dict):
        sentence = f"{category} is not a table of packages."
        yield _invalid(file, sentence, f"Write [{right}], and `name = version` below it.", category)
        return
    for name, value in entries.items():
        place = (category, name)
        if isinstance(value, dict):
            yield from _types(file, "package", value, *place)
            yield from _extras(file, value.get("extras"), place)
            for key in sorted(value.keys() - PACKAGE_KEYS):
                near = closest_key(key, PACKAGE_KEYS, _PACKAGE_WORDS)
                sentence = f"The entry of {name} has {key}, which pipenv does not know: it fails."
                hint = f"Write {near}." if near else "Remove it, or correct its spelling."
                yield _invalid(file, sentence, hint, *place, key)
        elif not isinstance(value, str):
            sentence = f"The entry of {name} is neither a version nor a table."
            written = file.written(place) if isinstance(value, (int, float)) else ""
            right = f"{name} = " + (f'"=={written}"' if re.match(r"[\d.]+$", written) else '"*"')
            yield _invalid(
                file, sentence, f"Write {right}: a version is a string, in quotes.", *place
            )


def _extras(file: ProjectFile, extras: object, place: tuple[str, str]) -> Iterator[Finding]:
    for extra in extras if isinstance(extras, list) else []:
        if not isinstance(extra, str) or not re.fullmatch(r"\w(?:[\w.-]*\w)?", extra, re.ASCII):
            sentence = f"{extra!r} in the extras of {place[1]} is not a name."
            yield _invalid(file, sentence, 'Write extras = ["NAME"].', *place, "extras")


def _scripts(file: ProjectFile, scripts: object) -> Iterator[Finding]:
    for name, value in scripts.items() if isinstance(scripts, dict) else ():
        if not value or not isinstance(value, (str, list, dict)):
            sentence = f"The script {name} is not a command."
            yield _invalid(file, sentence, "Write the command as a string.", "scripts", name)


def _types(
    file: ProjectFile, table: str, values: dict[str, object], *place: str | int
) -> Iterator[Finding]:
    for key, kind in _TYPES[table].items():
        if key in values and not isinstance(values[key], kind):
            sentence = f"{key} must be {_WORDS[kind]}."
            right = _right_type(file.written((*place, key)), values[key], kind)
            hint = f"Write {key} = {right}." if right else "Correct its value."
            yield _invalid(file, sentence, hint, *place, key)


def _right_type(written: str, value: object, kind: type) -> str:
    """Return the correct form of a value, or '' if that is not clear."""
    if kind is bool and isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower()
    if kind is list and isinstance(value, str):
        return f"[{written}]"
    if kind is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'"{written}"'  # as written: the number 3.10 is parsed as 3.1
    return ""


def _keys(
    file: ProjectFile, table: str, values: dict[str, object], *place: str | int
) -> Iterator[Finding]:
    """Yield keys with a wrong type, and misspelt keys, which pipenv ignores."""
    yield from _types(file, table, values, *place)
    known, words = _KEYS[table]
    for key in values.keys() - known:
        near = closest_key(key, known, words)
        if near is not None and near not in values:
            sentence = f"pipenv does not know {key} in [{table}] and ignores it."
            yield file.finding((*place, key), "key-ignored", sentence, f"Write {near}.")


def closest_key(word: str, known: Iterable[str], others: Mapping[str, str]) -> str | None:
    """Return the key that a misspelt one seems to mean, if any."""
    letters = {re.sub(r"[^a-z]", "", key.lower()): key for key in sorted(known)}
    of_word = re.sub(r"[^a-z]", "", word.lower())
    spelt = others.get(re.sub(r"[^a-z]", "_", word.lower()))
    return letters.get(of_word) or spelt or letters.get(_closest(of_word, letters, 0.75) or "")


def _closest(word: str, known: Iterable[str], cutoff: float) -> str | None:
    import difflib  # hardly any Pipfile needs it

    return next(iter(difflib.get_close_matches(word, list(known), 1, cutoff)), None)


def _python(file: ProjectFile, requires: object) -> Iterator[Finding]:
    """Yield versions of Python that pipenv cannot read or reads differently."""
    texts = {
        key: requires[key]
        for key in (_MINOR, _FULL)
        if isinstance(requires, dict) and isinstance(requires.get(key), str)
    }
    read = _FULL if texts.get(_FULL) else _MINOR  # pipenv prefers the full one
    if read in texts:
        yield from _python_version(file, read, texts[read])
    minor, full = (texts.get(key, "").strip() for key in (_MINOR, _FULL))
    if minor and full and "*" not in (minor, full) and not f"{full}.".startswith(f"{minor}."):
        sentence = f"pipenv uses {_FULL} = {full!r} and ignores {_MINOR} = {minor!r}."
        keys = ("requires", _MINOR)
        yield file.finding(keys, "requires-unclear", sentence, "Remove one of them.")


def _python_version(file: ProjectFile, key: str, text: str) -> Iterator[Finding]:
    version = text.strip()
    if version in {"", "*"} or re.fullmatch(r"[0-9]\.[0-9]+", version):
        return
    keys = ("requires", key)
    if re.fullmatch(r"[0-9]\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?", version):
        if key == _MINOR:
            minor = ".".join(version.split(".")[:2])
            sentence = f"{_MINOR} = {text!r} matches only that patch release of Python."
            hint = f'Write {_MINOR} = "{minor}", or {_FULL} = "{version}" if you need that release.'
            yield file.finding(keys, "requires-unclear", sentence, hint)
        return
    match = re.search(r"([23])\.?([0-9]{1,2})(?![0-9])", version)
    right = f'"{match[1]}.{match[2]}"' if match else '"X.Y", such as "3.12"'
    hint = f"Write {_MINOR} = {right}."
    if re.fullmatch("[0-9]", version):
        sentence = f"{key} = {text!r} matches any Python {version}, and each gives another lock."
        yield file.finding(keys, "requires-unclear", sentence, hint)
    elif version.startswith((">", "<", "!", "~")) and is_version(version):
        sentence = (
            f"{key} = {text!r} is a range, which older pipenvs such as 2023.12.1 cannot match."
        )
        yield file.finding(keys, "requires-unclear", sentence, hint)
    else:
        sentence = f"{key} = {text!r} is not a Python version that pipenv can read."
        yield file.finding(keys, "requires-invalid", sentence, hint)


def _invalid(file: ProjectFile, sentence: str, hint: str, *keys: str | int) -> Finding:
    return file.finding(keys, "pipfile-invalid", sentence, hint)
