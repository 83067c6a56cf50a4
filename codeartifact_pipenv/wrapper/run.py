"""Run a plan: start pipenv, wait for it, publish its results, and clean up."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NamedTuple

from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.io import read_bytes, read_text
from codeartifact_pipenv.files.pip_config import UsersNetrc
from codeartifact_pipenv.processes.child import Interrupted, signals
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.terminal.streams import guard_stdout
from codeartifact_pipenv.wrapper import pipenv_cli
from codeartifact_pipenv.wrapper.pip_inputs import split_proxy
from codeartifact_pipenv.wrapper.pipenv_cli import cannot_start
from codeartifact_pipenv.wrapper.plan import NO_PROXY_VARIABLES, TEMP_VARIABLES, make_index
from codeartifact_pipenv.wrapper.run_files import (
    ProjectCopies,
    dotenv_without,
    prepare_removal,
    private_folder,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.processes.child import Signals
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.absent_files import AbsentFile
    from codeartifact_pipenv.wrapper.pip_output import PipOutput
    from codeartifact_pipenv.wrapper.plan import RunPlan
    from codeartifact_pipenv.wrapper.run_files import PrivateFolder

# The variables that make pipenv use the copies.
_COPY_VARIABLES = ("PIPENV_PIPFILE", "PIPENV_CUSTOM_VENV_NAME")
# Exit statuses of an interrupted pipenv, which need no explanation.
INTERRUPTED = frozenset({130, 143})
# The exit status of a pipenv that does not have a command.
_UNKNOWN_COMMAND = 2


class Outcome(NamedTuple):
    """The result of a run.

    Attributes:
        status: the exit status; -N if signal N ended pipenv.
        interrupted: whether a signal arrived during the run.
        proxy: the proxy index, or None on the direct route.
        absent: on the direct route, the file for which pip got 404 although the repository lists
            it, if any.
    """

    status: int
    interrupted: bool
    proxy: ProxyIndex | None
    absent: AbsentFile | None


class _Child(NamedTuple):
    """A pipenv that is ready to start."""

    words: list[str]
    environ: dict[str, str]
    descriptors: list[int]
    output: PipOutput | None

    def run(self, received: Signals, stdout: int | None = None) -> int:
        """Run pipenv and return its exit status; -N if signal N ended it."""
        with self.output.stderr() if self.output else contextlib.nullcontext() as stderr:
            return received.run(
                self.words,
                self.environ,
                self.descriptors,
                prepare_removal,
                stdout=stdout,
                stderr=stderr,
            )


def run_plan(plan: RunPlan, descriptors: Sequence[int] = ()) -> Outcome:
    """Run pipenv as planned, and publish its results.

    Args:
        plan: the plan.
        descriptors: file descriptors of locks, which pipenv inherits.

    Raises:
        PipenvNotExecutableError, PipenvNotFoundError: pipenv cannot be started.
        ConfigurationError: the copies cannot be written or published.
    """
    return _PlannedRun(plan).run(descriptors)


class _PlannedRun:
    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._folder: PrivateFolder
        self._received: Signals
        self._proxy: ProxyIndex | None = None
        self._absent: AbsentFile | None = None

    def run(self, descriptors: Sequence[int]) -> Outcome:
        interrupted = False
        try:
            with signals() as received, private_folder() as folder, contextlib.ExitStack() as stack:
                self._received, self._folder = received, folder
                status = self._run(stack, descriptors)
                interrupted = received.arrived
        except Interrupted as interruption:
            status = -interruption.number
        if self._proxy is not None:
            warn_about_index(self._plan, self._proxy, self._folder.path)
        return Outcome(status, interrupted, self._proxy, self._absent)

    def _run(self, stack: contextlib.ExitStack, descriptors: Sequence[int]) -> int:
        netrc = users_netrc(self._plan.project.environ, self._plan.context.report)
        if netrc is not None:
            written = self._folder.write("users-netrc", netrc.lines())
            stack.enter_context(_netrc_of_this_process(written))
        self._start_index(stack)
        environ = self._environment(netrc)
        copies = self._make_copies(stack, environ)
        child = self._make_child(environ, descriptors)
        status = self._start(child)
        if status > 0 and child.output is not None and not self._received.arrived:
            status = self._retry(child, status)
        if copies is not None and status == 0:
            self._publish(copies, child.environ)
        return status

    # --- before the command ---------------------------------------------------------------

    def _start_index(self, stack: contextlib.ExitStack) -> None:
        """Start the proxy index, if the plan has one."""
        if self._plan.sources is not None:
            index = make_index(self._plan, self._plan.sources, self._folder.path)
            self._proxy = stack.enter_context(index)

    def _environment(self, users: UsersNetrc | None) -> dict[str, str]:
        """Return the environment of the child, and write the files that it names."""
        plan, tokens = self._plan, self._plan.tokens.by_domain
        taken = {*plan.child.unset, *plan.child.withheld}
        environ = {name: value for name, value in os.environ.items() if name not in taken}
        environ |= plan.child.environment(tokens)
        lines = plan.child.netrc_lines(tokens)
        if self._proxy is not None:
            lines += netrc_lines(plan, self._proxy)
            configuration = point_to_index(plan, self._proxy, environ)
            if configuration is not None:
                environ["PIP_CONFIG_FILE"] = self._folder.write("pip.conf", configuration)
        netrc = compose_netrc(lines, users)
        if netrc is not None:
            environ["NETRC"] = self._folder.write("netrc", netrc)
        return environ | dict.fromkeys(TEMP_VARIABLES, self._folder.path)

    def _make_copies(
        self, stack: contextlib.ExitStack, environ: dict[str, str]
    ) -> ProjectCopies | None:
        plan = self._plan
        if not plan.works_on_copies:
            return None
        if plan.context.line.command == "pylock" or plan.project.uses_pylock:
            self._pylock_path()  # raises if the path is not allowed
        copies = ProjectCopies(plan.project, self._proxy.url if self._proxy else None)
        stack.callback(copies.remove)
        environ |= copies.environment()
        self._replace_dotenv(environ)
        plan.context.report.note(f"works on {copies.pipfile}")
        return copies

    def _replace_dotenv(self, environ: dict[str, str]) -> None:
        """Give pipenv a ``.env`` that does not override the variables of the copies."""
        dotenv = self._plan.project.dotenv
        if dotenv is None or not {*_COPY_VARIABLES} & dotenv.values.keys():
            return
        text = dotenv_without(_COPY_VARIABLES, read_text(dotenv.path))
        environ["PIPENV_DOTENV_LOCATION"] = self._folder.write("dotenv", text)

    def _make_child(self, environ: dict[str, str], descriptors: Sequence[int]) -> _Child:
        plan, folder = self._plan, self._folder
        words = list(plan.context.line.rest)
        if plan.inputs is not None:
            words = plan.inputs.words(folder)
            environ |= plan.inputs.variables(folder)
        if plan.requirements is not None:
            words = [*words, "--requirements", folder.write("requirements.txt", plan.requirements)]
        words = [*plan.context.pipenv.command, *words]
        output = self._capture_pip_output(environ)
        environ |= output.variables if output is not None else {}
        names = sorted(n for n in environ if environ[n] != os.environ.get(n))
        plan.context.report.note(f"runs {' '.join(words)} with {', '.join(names)} set")
        own = [] if folder.descriptor is None else [folder.descriptor]
        return _Child(words, environ, [*descriptors, *own], output)

    # --- the command ----------------------------------------------------------------------

    def _start(self, child: _Child) -> int:
        if self._proxy is not None:
            prefetch(self._plan, self._proxy)
        try:
            if self._plan.context.line.command == "pylock":
                return self._run_pylock(child)
            return child.run(self._received)
        except OSError as error:
            raise cannot_start(child.words[0], error) from error

    def _run_pylock(self, child: _Child) -> int:
        """Make pipenv write pylock.toml to the private folder, and print the final path."""
        pylock = self._folder.pylock
        child = child._replace(words=[*child.words, "--output", pylock])
        with open(os.path.join(self._folder.path, "stdout"), "w+", encoding="utf-8") as stdout:
            status = child.run(self._received, stdout.fileno())
            stdout.seek(0)
            guard_stdout()
            path = self._named_pylock() or self._plan.project.pylock
            sys.stdout.write(stdout.read().replace(pylock, path))
            return status

    def _capture_pip_output(self, environ: dict[str, str]) -> PipOutput | None:
        """Capture pip's output if the command may be run again."""
        line = self._plan.context.line
        if self._proxy is not None or not pipenv_cli.writes_nothing(line.command, line.arguments):
            return None
        from codeartifact_pipenv.wrapper.pip_output import PipOutput

        return PipOutput({**environ, **self._plan.project.environ}, self._folder)

    def _retry(self, child: _Child, status: int) -> int:
        """Run an installation from the lock again if a repository did not have a file yet."""
        self._absent = absent = self._absent_file(child, status)
        if absent is None:
            return status
        from codeartifact_pipenv.wrapper.absent_files import wait_for

        self._plan.context.report.warning(
            f"Repository {absent.endpoint.repository} of {absent.endpoint.domain} lists "
            f"{absent.filename} and did not have it yet (404); "
            f"`pipenv {self._plan.context.line.command}` is run again."
        )
        self._received.reset()
        token = self._plan.tokens.by_domain[absent.endpoint.domain].value
        wait_for(absent, token, os.environ, self._received.check)
        child = child._replace(output=self._capture_pip_output(child.environ))
        status = self._start(child)
        self._absent = self._absent_file(child, status)
        return status

    def _absent_file(self, child: _Child, status: int) -> AbsentFile | None:
        text = child.output.text() if child.output and status > 0 else ""
        if "404" not in text or status in INTERRUPTED:
            return None
        from codeartifact_pipenv.wrapper.absent_files import absent_file

        endpoints = [source.endpoint for source in self._plan.project.sources() if source.endpoint]
        return absent_file(text, [e for e in endpoints if e.domain in self._plan.tokens.by_domain])

    # --- after it -------------------------------------------------------------------------

    def _publish(self, copies: ProjectCopies, environ: dict[str, str]) -> None:
        from codeartifact_pipenv.wrapper.publish import Publication

        pylock, python = self._pylock(copies, environ), self._python_of_environment(environ)
        Publication(self._plan, copies, self._proxy).publish(pylock, python)

    def _pylock(self, copies: ProjectCopies, environ: dict[str, str]) -> tuple[str, str] | None:
        """Return the path and text of pylock.toml, if pipenv has generated it.

        pipenv itself would write it to the project even if the command fails later.
        """
        plan, pylock = self._plan, self._folder.pylock
        path = self._pylock_path()
        if plan.context.line.command != "pylock":
            if not (plan.project.uses_pylock and copies.wrote_lock()):
                return None
            from codeartifact_pipenv.processes.capture import capture

            words = [*plan.context.pipenv.command, "pylock", "--generate", "--output", pylock]
            done = capture(words, seconds=None, environ=environ)
            if done.status == _UNKNOWN_COMMAND:
                return None  # an older pipenv
            plan.context.report.line(done.stderr.strip() or f"Generated pylock.toml at {path}")
        try:
            return path, read_text(pylock)
        except OSError:
            return None

    def _named_pylock(self) -> str | None:
        line = self._plan.context.line
        return pipenv_cli.pylock_output(line.command, line.arguments)

    def _pylock_path(self) -> str:
        """Return the path of pylock.toml; raises the errors of ``Project.pylock``."""
        named, project = self._named_pylock(), self._plan.project
        return os.path.join(project.directory, named) if named else project.pylock

    def _python_of_environment(self, environ: dict[str, str]) -> str | None:
        """Return the Python version of a new project's environment, such as 3.12, if known."""
        context = self._plan.context
        if self._plan.project.new_text is None or "--system" in context.line.arguments:
            return None
        from codeartifact_pipenv.processes.capture import output_of

        folder = output_of([*context.pipenv.command, "--venv"], seconds=30, environ=environ)
        try:
            text = read_text(os.path.join(folder or "", "pyvenv.cfg"))
        except OSError:
            return None
        # venv writes "version", virtualenv "version_info".
        lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
        version = lines.get("version_info") or lines.get("version") or ""
        return ".".join(version.split(".")[:2]) or None


@contextlib.contextmanager
def _netrc_of_this_process(netrc: str) -> Iterator[None]:
    """Make requests, which the proxy index uses, read a netrc file during the block."""
    before = os.environ.get("NETRC")
    os.environ["NETRC"] = netrc
    try:
        yield
    finally:
        del os.environ["NETRC"]
        if before is not None:
            os.environ["NETRC"] = before


# --- netrc ---------------------------------------------------------------------------------

_MOST_NETRC_BYTES = 1 << 20


def users_netrc(environ: Mapping[str, str], report: Report) -> UsersNetrc | None:
    """Read the user's netrc, found as pip and requests find it, and report unreadable lines.

    Returns:
        The file, or None if it does not exist.
    """
    named = environ.get("NETRC")
    for name in [named] if named else ["~/.netrc", "~/_netrc"]:
        path = os.path.expanduser(name)
        try:
            text = read_bytes(path, _MOST_NETRC_BYTES).decode("utf-8-sig", "surrogateescape")
        except FileNotFoundError:
            continue
        except OSError as error:
            if os.path.lexists(path):
                why = error.strerror or error
                report.warning(f"{path} cannot be read: {why}. This command does not use it.")
            text = ""
        found = UsersNetrc(path, text.replace("\r\n", "\n").replace("\r", "\n"))
        _report_skipped_lines(found, report)
        return found
    return None


def compose_netrc(lines: Sequence[str], users: UsersNetrc | None) -> str | None:
    """Return the text of a netrc file, or None if there is nothing to write.

    The user's entries for the same machines are left out: some readers take the first entry of
    a machine, Python's netrc the last.

    Args:
        lines: the first entries, which begin with ``machine``.
        users: the user's file, if any.
    """
    if not lines and users is None:
        return None
    own = "".join(f"{line}\n" for line in lines)
    return own + (users.lines({line.split()[1] for line in lines}) if users else "")


def _report_skipped_lines(netrc: UsersNetrc, report: Report) -> None:
    """Report which lines are left out."""
    if netrc.foreign:
        report.note(f"{netrc.path}, {_numbers(netrc.foreign)}: not for Python, left out")
    if netrc.unread:
        report.warning(
            f"{netrc.path}, {_numbers(netrc.unread)}: Python cannot read this as netrc, so it is "
            "left out. Next: correct it; otherwise pip and requests ignore the whole file."
        )


def _numbers(found: Sequence[int]) -> str:
    numbers = list(dict.fromkeys(found))
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


# --- the proxy index -----------------------------------------------------------------------

_MOST_LISTED = 5


def prefetch(plan: RunPlan, index: ProxyIndex) -> None:
    """Fetch the pages of the project's packages and of packages on the command line."""
    line = plan.context.line
    names = plan.sources.names if plan.sources else ()
    index.prefetch([*names, *pipenv_cli.named_packages(line.command, line.arguments)])


def netrc_lines(plan: RunPlan, index: ProxyIndex) -> list[str]:
    """Return the lines of a netrc file for the proxy index and for other indexes."""
    from codeartifact_pipenv.proxy_index.model import USERNAME

    logins = dict(plan.sources.others.logins) if plan.sources else {}
    logins[index.host] = USERNAME, index.password
    return [
        f"machine {host} login {username} password {password}"
        for host, (username, password) in logins.items()
    ]


def point_to_index(plan: RunPlan, index: ProxyIndex, environ: dict[str, str]) -> str | None:
    """Set the variables that make pip and pipenv use the index, without a proxy.

    Args:
        plan: the plan.
        index: the running index.
        environ: the environment of the child, which is changed.

    Returns:
        The text of a new configuration file for pip, or None if none is needed.
    """
    host = index.host
    if index.uses_saved_address:
        # pip caches plain HTTP only from trusted hosts.
        environ["PIP_TRUSTED_HOST"] = " ".join([*pip_config.words("trusted-host", environ), host])
    # PIP_PROXY and pip.conf have no exceptions, unlike the variables for all programs.
    configured, pip_configuration = split_proxy(environ) or (None, None)
    proxy = environ.pop("PIP_PROXY", None) or configured
    if proxy:
        names = [*map(variable_name, ("http_proxy", "https_proxy"))]
        # This process needs the proxy too: for the index, and to explain a failure.
        for changed in (environ, os.environ):
            changed.update(dict.fromkeys(names, proxy))
    for name in NO_PROXY_VARIABLES:
        kept = environ.get(name)
        environ[name] = f"{kept},{host}" if kept else host
    if pipenv_cli.runs_program(plan.context.line.command):
        environ["PIP_INDEX_URL"] = index.url
    return pip_configuration


def warn_about_index(plan: RunPlan, index: ProxyIndex, folder: str) -> None:
    """Warn if the index lacked an answer or could not write a file."""
    report, sources, observed = plan.context.report, plan.sources, index.observed
    if sources is None:
        return
    if observed.incomplete and sources.default:
        names = sorted(observed.incomplete)
        listed = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
        held = " They are not used, because the project has a cool-down."
        report.warning(
            f"Source {sources.default.name} did not answer, so upload times and withdrawals of {listed} "
            f"are unknown.{held if sources.cool_down else ''}"
        )
    for number in sorted(observed.unproven):
        source = sources.source_of(number)
        report.warning(
            f"Could not confirm that repository {sources.endpoints[number].repository} exists: it "
            "served no package, and AWS did not answer. Packages that are not marked as private "
            f"were taken from other sources. Next: check the URL of source {source.name}, or list "
            "your private packages in private-packages."
        )
    if observed.unwritten is not None:
        report.warning(
            f"Packages could not be written to {folder}: "
            f"{observed.unwritten}. Free some space, or set TMPDIR to another folder."
        )
