"""What kind of pipenv command it is: without network, a program to run, or one that installs.

Loaded by every command; imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The commands that resolve or install, in every pipenv from 2023.12 to 2026.10. What is not
# among them (also what a later pipenv may add) gets no token and needs no credentials.
INDEX_COMMANDS = frozenset({"install", "lock", "sync", "uninstall", "update", "upgrade"})
RUN_COMMANDS = frozenset({"run", "shell"})

# What pip does without asking an index.
_OFFLINE_PIP = frozenset(
    {
        "cache",
        "check",
        "completion",
        "config",
        "debug",
        "freeze",
        "hash",
        "help",
        "inspect",
        "show",
        "uninstall",
    }
)
# Options of the index commands that take the next word as their value.
VALUE_OPTIONS = frozenset(
    {
        "--backend",
        "--categories",
        "--config-settings",
        "--editable",
        "--extra-pip-args",
        "--extras",
        "--index",
        "--pypi-mirror",
        "--python",
        "--requirements",
        "--resolver",
        "-e",
        "-i",
        "-r",
    }
)
# Options of `pipenv run` that take a value (up to 2025) and those of the interpreter.
_RUN_VALUE_OPTIONS = ("--python", "--pypi-mirror")
_PYTHON_VALUE_OPTIONS = ("-W", "-X", "--check-hash-based-pycs")


def is_run(command: str | None) -> bool:
    """Whether a command runs a program of the user's."""
    return command in RUN_COMMANDS


def needs_index(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command resolves or installs packages itself, and so needs a token."""
    if command == "pylock":  # it looks the locked files up to write where they are
        wanted = any(abbreviates(word, "--generate", "--g") for word in arguments)
    else:
        wanted = command in INDEX_COMMANDS
    return wanted and not _asks_help(arguments)


def named_packages(command: str | None, arguments: Sequence[str]) -> set[str]:
    """Return the packages that the words of an index command name, without versions.

    Names are as they are written; paths and URLs are left out.
    """
    return {_name_of(word) for word in requirements(command, arguments)}


def requirements(command: str | None, arguments: Sequence[str]) -> list[str]:
    """Return the requirements that the words of an index command name, as they are written.

    Paths and URLs are left out.
    """
    return [
        word for word in _positional(command, arguments) if not any(mark in word for mark in "/\\")
    ]


def without_mirror(command: str | None, arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the words of an index command without ``--pypi-mirror``, and the URL of that.

    None where it is not given, or is no URL, which pipenv will say itself.
    """
    words = list(arguments)
    for at, word in enumerate(words if needs_index(command, arguments) else ()):
        name, equals, value = word.partition("=")
        if abbreviates(name, "--pypi-mirror", "--pyp"):
            end = at + (1 if equals else 2)
            url = value if equals else "".join(words[at + 1 : end])
            return ([*words[:at], *words[end:]], url) if "://" in url else (words, None)
    return words, None


def pylock_output(command: str | None, arguments: Sequence[str]) -> str | None:
    """Return the file that ``pipenv pylock`` is told to write; None for its default, or none."""
    if command == "pylock":
        for at, word in enumerate(arguments):
            name, equals, value = word.partition("=")
            is_long = abbreviates(name, "--output", "--o")
            if is_long and equals:
                return value
            if (is_long or word == "-o") and at + 1 < len(arguments):
                return arguments[at + 1]
            if word.startswith("-o"):
                return word[len("-o") :]
    return None


# Commands that never create a Pipfile. Any other command may.
_MAKE_NO_PIPFILE = frozenset({"graph", "pylock", "requirements", "scripts", "sync", "verify"})
_PROJECTS = ("--python", "--site-packages", "--two", "--three")


def makes_no_pipfile(command: str | None, words: Sequence[str]) -> bool:
    """Whether a command never creates a missing Pipfile.

    Args:
        command: pipenv's command.
        words: all of its words.
    """
    if command is None:
        return not any(
            abbreviates(word.partition("=")[0], o, o[:4]) for word in words for o in _PROJECTS
        )
    return command in _MAKE_NO_PIPFILE or _asks_help(words)


def writes_nothing(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether an index command leaves Pipfile and lock alone: it installs what is locked."""
    if command == "install" and "--deploy" in arguments:
        return not changes_pipfile(command, arguments)
    return command == "sync"


def changes_pipfile(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command may properly change the Pipfile's packages."""
    if command == "uninstall":
        return True
    imports = ("-r", "--requirements", "-e", "--editable")
    return bool(_positional(command, arguments)) or any(
        word in imports or word.startswith(("--requirements=", "--editable=", "-r", "-e"))
        for word in arguments
        if command in {"install", "update", "upgrade"}
    )


def _positional(command: str | None, arguments: Sequence[str]) -> list[str]:
    if command not in {"install", "uninstall", "update", "upgrade"}:
        return []
    found, words = [], iter(arguments)
    for word in words:
        if word in VALUE_OPTIONS:
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return found


def _name_of(requirement: str) -> str:
    end = next((at for at, sign in enumerate(requirement) if sign in "[<>=!~;@ ("), None)
    return requirement[:end]


def runs_pip(arguments: Sequence[str], scripts: Mapping[str, object]) -> bool:
    """Whether what follows ``pipenv run`` is a pip that asks an index.

    Args:
        arguments: the words after ``run``.
        scripts: the Pipfile's ``[scripts]``, by name.
    """
    words = _after_options(arguments)
    return any(_is_pip(line) for line in _resolve_script(words, scripts))


# Options of `pip install` that stand alone.
_PIP_FLAGS = frozenset(
    {
        "--force-reinstall",
        "--ignore-installed",
        "--no-build-isolation",
        "--no-cache-dir",
        "--no-deps",
        "--pre",
        "--quiet",
        "--require-hashes",
        "--upgrade",
        "--user",
        "--verbose",
        "-I",
        "-U",
        "-q",
        "-v",
    }
)


def pip_requirements(arguments: Sequence[str]) -> list[str]:
    """Return the requirements that a ``pip install`` after ``pipenv run`` names, as written.

    What follows an option that may take a value is left out, as are paths and URLs.
    """
    words = list(arguments)
    if "install" not in words:
        return []
    found = []
    before = ""
    for word in words[words.index("install") + 1 :]:
        takes = before.startswith("-") and "=" not in before and before not in _PIP_FLAGS
        if not (takes or word.startswith("-") or any(mark in word for mark in "/\\")):
            found.append(word)
        before = word
    return found


def explicit_index(arguments: Sequence[str]) -> bool:
    """Whether the words of a pip command name an index themselves."""
    names = [word.partition("=")[0] for word in arguments]
    return any(
        name.startswith("-i") or name == "--no-index" or abbreviates(name, "--index-url", "--ind")
        for name in names
    )


def abbreviates(word: str, option: str, shortest: str) -> bool:
    """Whether a word is an option, or the beginning of it that is not shorter than another."""
    return word.startswith(shortest) and option.startswith(word)


def extra_index(arguments: Sequence[str]) -> bool:
    """Whether the words of a pip command name a further index beside the first."""
    names = [word.partition("=")[0] for word in arguments]
    return any(abbreviates(name, "--extra-index-url", "--ex") for name in names)


def _asks_help(arguments: Sequence[str]) -> bool:
    return any(word in {"-h", "--help"} for word in arguments)


def _after_options(arguments: Sequence[str]) -> list[str]:
    words = list(arguments)
    while words and words[0].startswith("-"):
        del words[: 2 if words[0] in _RUN_VALUE_OPTIONS else 1]
    return words


def _resolve_script(words: list[str], scripts: Mapping[str, object]) -> list[list[str]]:
    # A script is a command line, a list of them, or {call = "module:function()"}.
    script = scripts.get(words[0]) if words else None
    lines = [script] if isinstance(script, str) else script
    if not isinstance(lines, list):
        return [_without_assignments(words)]
    import shlex

    resolved = []
    for line in lines:
        try:
            resolved.append(_without_assignments(shlex.split(str(line)) + words[1:]))
        except ValueError:
            continue  # pipenv says what is wrong with it
    return resolved


def _without_assignments(words: list[str]) -> list[str]:
    # pipenv since 2026 takes `run NAME=value command`.
    start = 0
    while (
        start < len(words) and words[start].partition("=")[0].isidentifier() and "=" in words[start]
    ):
        start += 1
    return words[start:]


def _is_pip(words: list[str]) -> bool:
    if not words:
        return False
    program = words[0].replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
    if _is_versioned(program, "pip"):
        return _pip_asks_index(words[1:])
    if _is_versioned(program, "python") or program == "py":
        rest = words[1:]
        while rest and rest[0].startswith("-") and rest[0] != "-m":
            del rest[: 2 if rest[0] in _PYTHON_VALUE_OPTIONS else 1]
        return rest[:2] == ["-m", "pip"] and _pip_asks_index(rest[2:])
    return False


def _pip_asks_index(words: list[str]) -> bool:
    if _asks_help(words) or "--version" in words or "-V" in words:
        return False
    command = next((word for word in words if not word.startswith("-")), "")
    if command == "list":
        return any(word in {"-o", "--outdated", "-u", "--uptodate"} for word in words)
    return bool(command) and command not in _OFFLINE_PIP


def _is_versioned(program: str, name: str) -> bool:
    return program.startswith(name) and not program[len(name) :].strip("0123456789.")
