"""Find the pipenv to run, and hand control to it."""

from __future__ import annotations

import contextlib
import os
import sys

from codeartifact_pipenv.files.reading import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from codeartifact_pipenv.settings import Settings

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
