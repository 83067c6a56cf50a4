"""pipenv's command line: what its commands do, and the program that is run.

Every command loads this module, so it imports little.
"""

from __future__ import annotations

import contextlib
import os
import sys

from codeartifact_pipenv.files.io import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from codeartifact_pipenv.settings import Settings

# The commands of pipenv 2023.12 to 2026.10.
COMMANDS = frozenset(
    {
        *("activate", "audit", "check", "clean", "graph", "install", "lock", "open", "pylock"),
        *("remove", "requirements", "run", "scan", "scripts", "shell", "sync", "uninstall"),
        *("update", "upgrade", "verify"),
    }
)
# The commands that resolve or install, in pipenv 2023.12 to 2026.10. Any other command, also one
# that a later pipenv adds, gets no token.
INDEX_COMMANDS = frozenset({"install", "lock", "sync", "uninstall", "update", "upgrade"})
# Those that write what they are told to install into the Pipfile.
ADDING_COMMANDS = frozenset({"install", "update", "upgrade"})
RUN_COMMANDS = frozenset({"run", "shell"})
# New in pipenv 2026: runs pip-audit, whose pip takes its index from settings only.
_AUDIT = "audit"

# Commands of pip that do not use an index.
_OFFLINE_PIP = frozenset(
    {
        *("cache", "check", "completion", "config", "debug", "freeze", "hash", "help"),
        *("inspect", "show", "uninstall"),
    }
)
# Options of the index commands whose value is the next word.
VALUE_OPTIONS = frozenset(
    {
        *("--backend", "--categories", "--config-settings", "--editable", "--extra-pip-args"),
        *("--extras", "--index", "--pypi-mirror", "--python", "--requirements", "--resolver"),
        *("-e", "-i", "-r"),
    }
)
# Options with a value of `pipenv run` (up to 2025) and of the interpreter.
_RUN_VALUE_OPTIONS = ("--python", "--pypi-mirror")
_PYTHON_VALUE_OPTION, _PYTHON_VALUE_LETTERS = "--check-hash-based-pycs", "WXc"
# Options of pip that may precede its command and whose value is the next word.
_PIP_VALUE_OPTIONS = (
    *("--cache-dir", "--cert", "--client-cert", "--default-timeout", "--exists-action"),
    *("--keyring-provider", "--local-log", "--log", "--log-file", "--progress-bar", "--proxy"),
    *("--python", "--resume-retries", "--retries", "--timeout", "--trusted-host"),
    *("--use-deprecated", "--use-feature"),
)
# Programs that start the command that follows them.
_PREFIXES = frozenset({"env", "nice", "nohup", "time"})
# A pip in a shell command or in the arguments of another program, possibly quoted.
_NESTED_PIP = (
    r"(?<![\w.-])(?:python[\d.]*\s+-m\s+)?pip[\d.]*(?:\.exe)?(?:[\s'\",\[(]+-[-\w=.]+)*[\s'\",\[(]+"
    r"(?:install|download|wheel|index)(?![\w.-])[^;&|<>`$\n]*"
)
_NAMES_INDEX = r"://|--(?:index-url|no-index)|(?<!\S)-i(?!\w)"


# How a command gets its packages: by resolving, from the lock, or by a pip that it starts.
RESOLVES, LOCKED, PIP = "resolves", "locked", "pip"
_RESOLVING = INDEX_COMMANDS - {"sync"}
_FROM_LOCK = ("--deploy", "--ignore-pipfile")


def resolves(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command resolves packages instead of installing from the lock."""
    return command in _RESOLVING and not any(word in _FROM_LOCK for word in arguments)


def runs_program(command: str | None) -> bool:
    """Whether a command runs another program and does not change Pipfile or lock."""
    return command in RUN_COMMANDS or command == _AUDIT


def needs_index(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command resolves or installs packages itself and needs a token."""
    if command == "pylock":  # it fetches pages to write the URLs of the locked files
        wanted = any(abbreviates(word, "--generate", "--g") for word in arguments)
    else:
        wanted = command in INDEX_COMMANDS
    return wanted and not _asks_help(arguments)


def asks_pipenv_help(words: Sequence[str]) -> bool:
    """Whether a command line without a command makes pipenv print its help."""
    return not words or _asks_help(words)


def named_packages(command: str | None, arguments: Sequence[str]) -> set[str]:
    """Return the packages that an index command names, as written and without versions.

    Paths and URLs are left out.
    """
    return {_package_name(word) for word in requirements(command, arguments)}


def requirements(command: str | None, arguments: Sequence[str]) -> list[str]:
    """Return the requirements that an index command names, as written.

    Paths and URLs are left out.
    """
    return [
        word for word in _positional(command, arguments) if not any(mark in word for mark in "/\\")
    ]


def without_mirror(command: str | None, arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Split ``--pypi-mirror`` off the arguments of an index command.

    Returns:
        The other arguments, and the URL of the mirror, or None if it is missing or not a URL,
        which pipenv reports itself.
    """
    words = list(arguments)
    for at, word in enumerate(words if needs_index(command, arguments) else ()):
        name, equals, value = word.partition("=")
        if abbreviates(name, "--pypi-mirror", "--pyp"):
            end = at + (1 if equals else 2)
            url = value if equals else "".join(words[at + 1 : end])
            return ([*words[:at], *words[end:]], url) if "://" in url else (words, None)
    return words, None


# The variables from which pipenv also takes options of ADDING_COMMANDS: up to 2026.4 by click's
# auto_envvar_prefix, since 2026.5 by apply_env_vars (pipenv/cli/options.py).
_CLICK_VARIABLES = {
    "PIPENV_REQUIREMENTS": ("--requirements", "-r"),
    "PIPENV_EDITABLE": ("--editable", "-e"),
    "PIPENV_INDEX": ("--index", "-i"),
}
_ARGPARSE_VARIABLES = {"PIPENV_REQUIREMENTSTXT": ("--requirements", "-r")}
_SINCE_ARGPARSE = (2026, 5)


def options_of_variables(
    command: str | None, arguments: Sequence[str], pipenv: Pipenv, environ: Mapping[str, str]
) -> list[str]:
    """Return the words of options that only variables give to a command.

    A pipenv of unknown version counts as one that reads the variables of all versions.
    """
    names = {*_CLICK_VARIABLES, *_ARGPARSE_VARIABLES}
    if command not in ADDING_COMMANDS or not any(environ.get(name) for name in names):
        return []
    version = version_numbers(pipenv.version() or "")
    known = {} if version >= _SINCE_ARGPARSE else dict(_CLICK_VARIABLES)
    if not version or version >= _SINCE_ARGPARSE:
        known |= _ARGPARSE_VARIABLES
    if environ.get("PIP_INDEX_URL"):  # pipenv reads it first
        known.pop("PIPENV_INDEX", None)
    found = []
    for name, (option, letter) in known.items():
        given = any(
            word.startswith(letter) or abbreviates(word.partition("=")[0], option, option[:5])
            for word in arguments
        )
        value = "" if given else environ.get(name, "")
        values = value.split(os.pathsep) if option == "--editable" else [value]
        found += [f"{option}={each}" for each in values if each]
    return found


def pylock_output(command: str | None, arguments: Sequence[str]) -> str | None:
    """Return the file that ``pipenv pylock`` is told to write, or None for its default."""
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


# Any other command may create a Pipfile.
_NEVER_CREATE_PIPFILE = frozenset({"graph", "pylock", "requirements", "scripts", "sync", "verify"})
_ENVIRONMENT_OPTIONS = ("--python", "--site-packages", "--two", "--three")


def never_creates_pipfile(command: str | None, words: Sequence[str]) -> bool:
    """Whether a command never creates a missing Pipfile.

    Args:
        command: pipenv's command.
        words: all words of the command line.
    """
    if command is None:
        return not any(
            abbreviates(word.partition("=")[0], o, o[:4])
            for word in words
            for o in _ENVIRONMENT_OPTIONS
        )
    return command in _NEVER_CREATE_PIPFILE or _asks_help(words)


def writes_nothing(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether an index command only installs from the lock and changes neither file."""
    if command == "install" and "--deploy" in arguments:
        return not changes_pipfile(command, arguments)
    return command == "sync"


def changes_pipfile(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command may change the packages of the Pipfile."""
    if command == "uninstall":
        return True
    imports = ("-r", "--requirements", "-e", "--editable")
    return bool(_positional(command, arguments)) or any(
        word in imports or word.startswith(("--requirements=", "--editable=", "-r", "-e"))
        for word in arguments
        if command in ADDING_COMMANDS
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


def _package_name(requirement: str) -> str:
    end = next((at for at, sign in enumerate(requirement) if sign in "[<>=!~;@ ("), None)
    return requirement[:end]


class PipCall:
    """A command line in which ``pipenv run`` starts a pip that uses an index.

    Args:
        before: the words before pip's arguments, including assignments.
        words: pip's arguments.
        script: the script of the Pipfile that contains the line, or None if it is typed.
        is_only_line: whether nothing else is run.
    """

    def __init__(
        self, before: list[str], words: list[str], script: str | None, *, is_only_line: bool
    ) -> None:
        self.before = before
        self.words = words
        self.script = script
        self.is_only_line = is_only_line

    @property
    def assigned(self) -> dict[str, str]:
        """The variables that the line sets for pip."""
        from codeartifact_pipenv.settings import variable_name

        pairs = map(_parse_assignment, self.before)
        return {variable_name(name): value for name, value in pairs if name}


def pip_calls(
    command: str | None, arguments: Sequence[str], scripts: Mapping[str, object]
) -> list[PipCall]:
    """Return the command lines that start a pip which uses an index.

    Args:
        command: pipenv's command.
        arguments: the words after it.
        scripts: the Pipfile's ``[scripts]``, by name.
    """
    if command == _AUDIT:
        return (
            [PipCall([], ["install"], None, is_only_line=True)]
            if _audit_resolves(arguments)
            else []
        )
    if command != "run":
        return []
    script, lines = _resolve_script(_after_options(arguments), scripts)
    found = []
    for line in lines:
        at = _pip_position(line)
        if at is not None and _pip_asks_index(line[at:]):
            found.append(PipCall(line[:at], line[at:], script, is_only_line=len(lines) == 1))
    return found


def nested_pip(
    command: str | None, arguments: Sequence[str], scripts: Mapping[str, object]
) -> str | None:
    """Return the words of a pip that another program, such as a shell, starts.

    Arguments are as for ``pip_calls``.

    Returns:
        The words, or None if no pip is found or it names its own index.
    """
    _, lines = _resolve_script(_after_options(arguments), scripts)
    text = "\n".join(" ".join(line) for line in lines)
    if command != "run" or "pip" not in text:
        return None
    import re

    for found in re.finditer(_NESTED_PIP, text):
        words = found[0].strip()
        is_uvs = text[: found.start()].split()[-1:] == ["uv"]
        if not (is_uvs or "INDEX_URL" in text or re.search(_NAMES_INDEX, words)):
            return words
    return None


def _audit_resolves(arguments: Sequence[str]) -> bool:
    """Whether pip-audit uses an index: to install the locked packages, or fixed versions."""
    wanted = any(
        abbreviates(word, "--locked", "--lock") or abbreviates(word, "--fix", "--f")
        for word in arguments
    )
    return wanted and not _asks_help(arguments)


def run_options(arguments: Sequence[str]) -> list[str]:
    """Return the options between ``run`` and the program."""
    return list(arguments[: len(arguments) - len(_after_options(arguments))])


_TAKE_REQUIREMENTS = frozenset({"install", "download", "wheel"})
# Options of these without a value.
_PIP_FLAGS = frozenset(
    {
        *("--force-reinstall", "--ignore-installed", "--no-build-isolation", "--no-cache-dir"),
        *("--no-deps", "--pre", "--quiet", "--require-hashes", "--upgrade", "--user"),
        *("--verbose", "-I", "-U", "-q", "-v"),
    }
)


def pip_requirements(arguments: Sequence[str]) -> list[str]:
    """Return the requirements that a ``pip install``, ``download`` or ``wheel`` names, as written.

    Words after an option that may take a value, paths and URLs are left out.
    """
    words = list(arguments)
    verb = next((at for at, word in enumerate(words) if word in _TAKE_REQUIREMENTS), len(words))
    found = []
    before = ""
    for word in words[verb + 1 :]:
        takes = before.startswith("-") and "=" not in before and before not in _PIP_FLAGS
        if not (takes or word.startswith("-") or any(mark in word for mark in "/\\")):
            found.append(word)
        before = word
    return found


def abbreviates(word: str, option: str, shortest: str) -> bool:
    """Whether a word abbreviates an option to no fewer characters than ``shortest``."""
    return word.startswith(shortest) and option.startswith(word)


def _asks_help(arguments: Sequence[str]) -> bool:
    return any(word in {"-h", "--help"} for word in arguments)


def _after_options(arguments: Sequence[str]) -> list[str]:
    words = list(arguments)
    while words and words[0].startswith("-"):
        del words[: 2 if words[0] in _RUN_VALUE_OPTIONS else 1]
    return words


def _resolve_script(
    words: list[str], scripts: Mapping[str, object]
) -> tuple[str | None, list[list[str]]]:
    # A script is a command line, a list of them, or {call = "module:function()"}.
    script = scripts.get(words[0]) if words else None
    lines = [script] if isinstance(script, str) else script
    if not isinstance(lines, list):
        return None, [words]
    import shlex

    resolved = []
    for line in lines:
        try:
            resolved.append(shlex.split(str(line)) + words[1:])
        except ValueError:
            resolved.append([])  # pipenv reports the error
    return words[0], resolved


def _count_assignments(words: Sequence[str]) -> int:
    # pipenv since 2026 accepts `run NAME=value command`.
    return next((at for at, word in enumerate(words) if not _parse_assignment(word)[0]), len(words))


def _parse_assignment(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return (name, value) if equals and name.isidentifier() else ("", "")


def _pip_position(words: Sequence[str]) -> int | None:
    """Return the position of pip's first argument, or None for another program."""
    at = _count_assignments(words)
    while at < len(words) and _program_name(words[at]) in _PREFIXES:
        at += _prefix_length(words[at:])
    if at >= len(words):
        return None
    program = _program_name(words[at])
    at += 1
    if _is_versioned(program, "pip"):
        return at
    if _is_versioned(program, "python") or program == "py":
        while at < len(words) and words[at].startswith("-"):
            letter, value = _python_option(words[at])
            if letter == "c":
                return None
            if letter == "m":
                taken = 1 if value else 2
                return at + taken if (value or "".join(words[at + 1 : at + 2])) == "pip" else None
            at += 2 if letter and not value else 1
    return None


def _program_name(word: str) -> str:
    return word.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")


def _prefix_length(words: Sequence[str]) -> int:
    """Return the number of words that a prefix such as ``env`` takes."""
    program = _program_name(words[0])
    if program == "env":
        return 1 + _count_assignments(words[1:])
    option = "".join(words[1:2]) if program == "nice" else ""
    if option in {"-n", "--adjustment"}:
        return 3
    is_number = option.removeprefix("--adjustment=").lstrip("-n").isdecimal()
    return 2 if option.startswith("-") and is_number else 1


def _python_option(word: str) -> tuple[str, str]:
    """Return the option with a value in a word of Python's options, and the value that follows it."""
    if word.startswith("--"):
        return (word, "") if word == _PYTHON_VALUE_OPTION else ("", "")
    for at, letter in enumerate(word):
        if letter == "m" or letter in _PYTHON_VALUE_LETTERS:
            return letter, word[at + 1 :]
    return "", ""


def _pip_asks_index(words: Sequence[str]) -> bool:
    if _asks_help(words) or "--version" in words or "-V" in words:
        return False
    command = pip_command(words)
    if command == "list":
        return any(word in {"-o", "--outdated", "-u", "--uptodate"} for word in words)
    return bool(command) and command not in _OFFLINE_PIP


def pip_command(words: Sequence[str]) -> str:
    """Return the command in pip's arguments; '' if missing."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word
        if "=" not in word and any(o.startswith(word) for o in _PIP_VALUE_OPTIONS):
            next(rest, None)
    return ""


def _is_versioned(program: str, name: str) -> bool:
    return program.startswith(name) and not program[len(name) :].strip("0123456789.")


# --- the program ---------------------------------------------------------------------------

# The newest pipenv whose commands the tests compare with the verbs of this program.
NEWEST_TESTED = "2026.10.3"
_HELP_SECONDS = 30.0


class ExecPipenv(BaseException):
    """Raised to unwind this program before pipenv takes over the process."""

    def __init__(self, script: str, arguments: Sequence[str]) -> None:
        super().__init__(script)
        self._argv = [script, *arguments]

    def __call__(self) -> NoReturn:
        """Run pipenv in this process; SystemExit carries its exit status."""
        sys.argv = self._argv
        from pipenv import cli

        sys.exit(cli())


class Pipenv:
    """A pipenv that can be run.

    Attributes:
        command: the words that start it.
        own: whether it is installed in the environment of this program.
    """

    def __init__(self, command: list[str], *, own: bool) -> None:
        self.command = command
        self.own = own

    def version(self) -> str | None:
        """Return the version from pipenv's files, or None if they are not found.

        ``pipenv --version`` would take a third of a second.
        """
        script = os.path.realpath(self.command[-1])
        library = os.path.join(os.path.dirname(os.path.dirname(script)), "lib")
        roots = sys.path if self.own else _site_packages(library)
        for root in roots:
            try:
                said = read_text(os.path.join(root, "pipenv", "__version__.py"))
                return said.partition('__version__ = "')[2].partition('"')[0] or None
            except (OSError, ValueError):
                continue
        return None

    def has_command(self, word: str) -> bool:
        """Whether a pipenv newer than the tested ones has a command; False for tested ones."""
        version = self.version()
        if version is not None and version_numbers(version) <= version_numbers(NEWEST_TESTED):
            return False
        from codeartifact_pipenv.processes.capture import output_of

        shown = output_of([*self.command, "--help"], seconds=_HELP_SECONDS) or ""
        return any(line.split()[:1] == [word] for line in shown.splitlines())

    def exec_pipenv(self, arguments: Sequence[str]) -> NoReturn:
        """Hand the process to pipenv; never returns.

        The pipenv in this program's environment is called in this process, which saves the start
        of another interpreter. Any other pipenv replaces the process.

        Raises:
            ExecPipenv: for the entry point to call.
            PipenvNotExecutableError, PipenvNotFoundError: pipenv cannot be started.
        """
        if self.own and not _is_run_as_module():
            raise ExecPipenv(self.command[0] if len(self.command) == 1 else "pipenv", arguments)
        words = [*self.command, *arguments]
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            if sys.platform == "win32":
                from codeartifact_pipenv.processes.child import exit_like_child, signals

                with signals() as received:
                    sys.exit(exit_like_child(received.run(words, os.environ)))
            os.execv(words[0], words)
        except OSError as error:
            raise cannot_start(words[0], error) from error


def find_pipenv(settings: Settings) -> Pipenv:
    """Find the pipenv to run: the one that a setting names, or the one in this environment.

    Raises:
        PipenvNotFoundError: pipenv is not installed.
    """
    named = settings.text("pipenv")
    if named is not None:
        program = _find_program(named)
        fault = _why_not_pipenv(program)
        if fault is not None:
            from codeartifact_pipenv.errors import ConfigurationError

            raise ConfigurationError(
                f"The pipenv setting names {program}, which is {fault[0]}.", fault[1]
            )
        return Pipenv([program], own=False)
    suffix = ".exe" if sys.platform == "win32" else ""
    script = os.path.join(os.path.dirname(sys.executable), f"pipenv{suffix}")
    if os.path.isfile(script):
        return Pipenv([script], own=True)
    import importlib.util

    if importlib.util.find_spec("pipenv") is not None:
        starter = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start_pipenv.py")
        return Pipenv([sys.executable, starter], own=True)
    from codeartifact_pipenv.errors import PipenvNotFoundError

    raise PipenvNotFoundError(
        "pipenv is not installed in the environment of codeartifact-pipenv.",
        "Install pipenv there, or name one with --ca-pipenv or PIPENV_CA_PIPENV.",
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numeric parts of a version, for comparison."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def cannot_start(program: str, error: OSError) -> Exception:
    """Return the error to raise if a program could not be started."""
    from codeartifact_pipenv.errors import PipenvNotExecutableError, PipenvNotFoundError

    if isinstance(error, FileNotFoundError):
        return PipenvNotFoundError(
            f"{program} cannot be started: the file or its interpreter does not exist.",
            "Install pipenv again, or name another one with --ca-pipenv.",
        )
    return PipenvNotExecutableError(
        f"{program} cannot be run: {error.strerror or error}.",
        "Make it executable, or name another one with --ca-pipenv.",
    )


def _find_program(named: str) -> str:
    if os.path.dirname(named):
        return os.path.abspath(named)
    import shutil

    stand_in = None
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        # Windows, and a PATH with a dot, search the working directory, which is not trusted.
        found = shutil.which(named, path=folder) if os.path.isabs(folder) else None
        if found is None or not os.path.isabs(found):
            continue
        if not _is_this_program(found):
            return found
        stand_in = stand_in or found  # this program under pipenv's name
    if stand_in is not None:
        return stand_in
    from codeartifact_pipenv.errors import PipenvNotFoundError

    raise PipenvNotFoundError(
        f"{named} was not found on PATH.", "Correct the pipenv setting, or give a full path."
    )


def _site_packages(library: str) -> list[str]:
    try:
        versions = sorted(os.listdir(library))
    except OSError:
        return []
    # On Windows site-packages is directly in the library.
    return [os.path.join(library, name, "site-packages") for name in [*versions, ""]]


def _is_run_as_module() -> bool:
    # pipenv up to 2025 takes its name in messages from the main module's package.
    return bool(getattr(sys.modules["__main__"], "__package__", None))


def _why_not_pipenv(program: str) -> tuple[str, str] | None:
    """Return why a program cannot be run as pipenv and a hint, or None if it can."""
    if sys.platform == "win32" and program.lower().endswith((".bat", ".cmd")):
        return (
            "a batch file, so cmd would interpret > and % in your arguments",
            "Name the pipenv.exe that it starts; `pyenv which pipenv` prints the one of pyenv.",
        )
    if _is_this_program(program):
        return (
            "this program itself",
            "Name the pipenv to run, or unset it to use the one in this environment.",
        )
    return None


def _is_this_program(program: str) -> bool:
    own = sys.argv[0].removesuffix(".exe")
    names = ("pipenv-ca", "codeartifact-pipenv")
    for path in (own, *(os.path.join(os.path.dirname(os.path.realpath(own)), n) for n in names)):
        for known in (path, f"{path}.exe"):
            with contextlib.suppress(OSError):
                if os.path.samefile(program, known):
                    return True
    return False
