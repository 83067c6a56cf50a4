"""Runs a plan: starts pipenv with what it was promised, waits for its end, and cleans up."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NamedTuple

from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.processes.child import Interrupted, signals
from codeartifact_pipenv.terminal.streams import guard_stdout
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.executable import cannot_start
from codeartifact_pipenv.wrapper.netrc_file import compose, users_netrc
from codeartifact_pipenv.wrapper.plan import TEMPORARY
from codeartifact_pipenv.wrapper.run_files import prepare_removal, private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeartifact_pipenv.processes.child import Signals
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.wrapper.absent_files import AbsentFile
    from codeartifact_pipenv.wrapper.copies import ProjectCopies
    from codeartifact_pipenv.wrapper.netrc_file import UsersNetrc
    from codeartifact_pipenv.wrapper.pip_output import PipOutput
    from codeartifact_pipenv.wrapper.plan import RunPlan
    from codeartifact_pipenv.wrapper.run_files import PrivateFolder

# By which pipenv is led to the copies.
_OUR_VARIABLES = ("PIPENV_PIPFILE", "PIPENV_CUSTOM_VENV_NAME")
# Exit statuses of an interrupted pipenv: there is nothing to explain.
INTERRUPTED = frozenset({130, 143})
# The exit status of a pipenv that does not know a word.
_UNKNOWN_COMMAND = 2


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        status: its exit status; -N when signal N ended it.
        interrupted: whether a signal came while it ran.
        proxy: the proxy index that pipenv saw; None on the direct route.
        absent: the file that pip did not get from a repository that lists it; None for none, or
            with a proxy index.
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
        """Run it to its end and return its exit status; -N when signal N ended it."""
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
    """Run pipenv as a plan says, and publish what it has made.

    Args:
        plan: the plan.
        descriptors: what pipenv holds on to as long as it runs.

    Raises:
        PipenvNotExecutableError, PipenvNotFoundError: pipenv cannot be started.
        ConfigurationError: the copies cannot be made, or not be published.
    """
    return _PlannedRun(plan).to_the_end(descriptors)


class _PlannedRun:
    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._folder: PrivateFolder
        self._received: Signals
        self._proxy: ProxyIndex | None = None
        self._absent: AbsentFile | None = None

    def to_the_end(self, descriptors: Sequence[int]) -> Outcome:
        interrupted = False
        try:
            with signals() as received, private_folder() as folder, contextlib.ExitStack() as stack:
                self._received, self._folder = received, folder
                status = self._run(stack, descriptors)
                interrupted = received.came
        except Interrupted as interruption:
            status = -interruption.number
        if self._proxy is not None:
            from codeartifact_pipenv.wrapper.through_proxy import warn_of_index

            warn_of_index(self._plan, self._proxy, self._folder.path)
        return Outcome(status, interrupted, self._proxy, self._absent)

    def _run(self, stack: contextlib.ExitStack, descriptors: Sequence[int]) -> int:
        netrc = users_netrc(self._plan.project.environ, self._plan.context.report)
        if netrc is not None:
            written = self._folder.write("users-netrc", netrc.lines())
            stack.enter_context(_netrc_of_this_process(written))
        self._enter_index(stack)
        environ = self._environment(netrc)
        copies = self._enter_copies(stack, environ)
        child = self._child(environ, descriptors)
        status = self._start(child)
        if status > 0 and child.output is not None and not self._received.came:
            status = self._run_again(child, status)
        if copies is not None and status == 0:
            self._publish(copies, child.environ)
        return status

    # --- before the command ---------------------------------------------------------------

    def _enter_index(self, stack: contextlib.ExitStack) -> None:
        """Let the proxy index serve, if the plan has one."""
        if self._plan.sources is not None:
            from codeartifact_pipenv.wrapper.through_proxy import make_index

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
            from codeartifact_pipenv.wrapper.through_proxy import lead_to_index, netrc_lines

            lines += netrc_lines(plan, self._proxy)
            configuration = lead_to_index(plan, self._proxy, environ)
            if configuration is not None:
                environ["PIP_CONFIG_FILE"] = self._folder.write("pip.conf", configuration)
        netrc = compose(lines, users)
        if netrc is not None:
            environ["NETRC"] = self._folder.write("netrc", netrc)
        return environ | dict.fromkeys(TEMPORARY, self._folder.path)

    def _enter_copies(
        self, stack: contextlib.ExitStack, environ: dict[str, str]
    ) -> ProjectCopies | None:
        plan = self._plan
        if not plan.works_on_copies:
            return None
        from codeartifact_pipenv.wrapper.copies import ProjectCopies

        if plan.context.line.command == "pylock" or plan.project.uses_pylock:
            self._pylock_place()  # raises if its name leads elsewhere
        copies = ProjectCopies(plan.project, self._proxy.url if self._proxy else None)
        stack.callback(copies.remove)
        environ |= copies.environment()
        self._keep_dotenv_out(environ)
        plan.context.report.note(f"works on {copies.pipfile}")
        return copies

    def _keep_dotenv_out(self, environ: dict[str, str]) -> None:
        """Give pipenv a ``.env`` that does not lead it past the copies."""
        dotenv = self._plan.project.dotenv
        if dotenv is None or not {*_OUR_VARIABLES} & dotenv.values.keys():
            return
        from codeartifact_pipenv.wrapper.copies import dotenv_without

        text = dotenv_without(_OUR_VARIABLES, read_text(dotenv.path))
        environ["PIPENV_DOTENV_LOCATION"] = self._folder.write("dotenv", text)

    def _child(self, environ: dict[str, str], descriptors: Sequence[int]) -> _Child:
        plan, folder = self._plan, self._folder
        words = list(plan.context.line.rest)
        if plan.inputs is not None:
            words = plan.inputs.words(folder)
            environ |= plan.inputs.variables(folder)
        if plan.requirements is not None:
            words = [*words, "--requirements", folder.write("requirements.txt", plan.requirements)]
        words = [*plan.context.pipenv.command, *words]
        output = self._listen(environ)
        environ |= output.variables if output is not None else {}
        names = sorted(n for n in environ if environ[n] != os.environ.get(n))
        plan.context.report.note(f"runs {' '.join(words)} with {', '.join(names)} set")
        own = [] if folder.descriptor is None else [folder.descriptor]
        return _Child(words, environ, [*descriptors, *own], output)

    # --- the command ----------------------------------------------------------------------

    def _start(self, child: _Child) -> int:
        if self._proxy is not None:
            from codeartifact_pipenv.wrapper.through_proxy import prefetch

            prefetch(self._plan, self._proxy)
        try:
            if self._plan.context.line.command == "pylock":
                return self._run_pylock(child)
            return child.run(self._received)
        except OSError as error:
            raise cannot_start(child.words[0], error) from error

    def _run_pylock(self, child: _Child) -> int:
        """Have pylock.toml written to the private folder, and named as if it were in its place."""
        pylock = self._folder.pylock
        child = child._replace(words=[*child.words, "--output", pylock])
        with open(os.path.join(self._folder.path, "stdout"), "w+", encoding="utf-8") as said:
            status = child.run(self._received, said.fileno())
            said.seek(0)
            guard_stdout()
            place = self._named_pylock() or self._plan.project.pylock
            sys.stdout.write(said.read().replace(pylock, place))
            return status

    def _listen(self, environ: dict[str, str]) -> PipOutput | None:
        """Listen to pip where the command may be run again: nothing else depends on it."""
        line = self._plan.context.line
        if self._proxy is not None or not commands.writes_nothing(line.command, line.arguments):
            return None
        from codeartifact_pipenv.wrapper.pip_output import PipOutput

        return PipOutput({**environ, **self._plan.project.environ}, self._folder)

    def _run_again(self, child: _Child, status: int) -> int:
        """Run what installs from the lock once more where a repository did not have a file yet."""
        self._absent = absent = self._absent_file(child, status)
        if absent is None:
            return status
        from codeartifact_pipenv.wrapper.absent_files import wait_for

        self._plan.context.report.warning(
            f"Repository {absent.endpoint.repository} of {absent.endpoint.domain} lists "
            f"{absent.filename} and did not have it yet (404); "
            f"`pipenv {self._plan.context.line.command}` is run again."
        )
        self._received.again()
        token = self._plan.tokens.by_domain[absent.endpoint.domain].value
        wait_for(absent, token, os.environ, self._received.check)
        child = child._replace(output=self._listen(child.environ))
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

        pylock, python = self._pylock(copies, environ), self._python(environ)
        Publication(self._plan, copies, self._proxy).publish(pylock, python)

    def _pylock(self, copies: ProjectCopies, environ: dict[str, str]) -> tuple[str, str] | None:
        """Return where pylock.toml belongs, and the text that pipenv has made for it, if any.

        pipenv would write it beside the Pipfile at once, whatever becomes of the command.
        """
        plan, pylock = self._plan, self._folder.pylock
        place = self._pylock_place()
        if plan.context.line.command != "pylock":
            if not (plan.project.uses_pylock and copies.wrote_lock()):
                return None
            from codeartifact_pipenv.processes.capture import capture

            words = [*plan.context.pipenv.command, "pylock", "--generate", "--output", pylock]
            done = capture(words, seconds=None, environ=environ)
            if done.status == _UNKNOWN_COMMAND:
                return None  # this pipenv writes none
            said = done.stderr.strip() or f"Generated pylock.toml at {place}"
            plan.context.report.line(said)
        try:
            return place, read_text(pylock)
        except OSError:
            return None

    def _named_pylock(self) -> str | None:
        line = self._plan.context.line
        return commands.pylock_output(line.command, line.arguments)

    def _pylock_place(self) -> str:
        """Return the path of pylock.toml; ConfigurationError as for ``Project.pylock``."""
        named, project = self._named_pylock(), self._plan.project
        return os.path.join(project.directory, named) if named else project.pylock

    def _python(self, environ: dict[str, str]) -> str | None:
        """Return the Python of the environment of a project that is being made, such as 3.12."""
        context = self._plan.context
        if self._plan.project.new_text is None or "--system" in context.line.arguments:
            return None
        from codeartifact_pipenv.processes.capture import output_of

        place = output_of([*context.pipenv.command, "--venv"], seconds=30, environ=environ)
        try:
            text = read_text(os.path.join(place or "", "pyvenv.cfg"))
        except OSError:
            return None
        # ("version" as venv writes it, "version_info" as virtualenv does.)
        lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
        version = lines.get("version_info") or lines.get("version") or ""
        return ".".join(version.split(".")[:2]) or None


@contextlib.contextmanager
def _netrc_of_this_process(netrc: str) -> Iterator[None]:
    """Have this process, whose proxy index asks by requests, read a netrc file, too."""
    before = os.environ.get("NETRC")
    os.environ["NETRC"] = netrc
    try:
        yield
    finally:
        del os.environ["NETRC"]
        if before is not None:
            os.environ["NETRC"] = before
