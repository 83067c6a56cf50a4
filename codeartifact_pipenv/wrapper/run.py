"""Runs one pipenv command to its end, with all that it was promised, and cleans up after it."""

from __future__ import annotations

import contextlib
import os
import sys

from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.processes.child import Interrupted, signals
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.terminal.streams import guard_stdout
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.executable import cannot_start
from codeartifact_pipenv.wrapper.netrc_file import compose, users_netrc
from codeartifact_pipenv.wrapper.private_folder import prepare_removal, private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.processes.child import Signals
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.model import AskExists, Renewal
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.absent_files import AbsentFile
    from codeartifact_pipenv.wrapper.completion import Completion
    from codeartifact_pipenv.wrapper.copies import ProjectCopies
    from codeartifact_pipenv.wrapper.elsewhere import Elsewhere
    from codeartifact_pipenv.wrapper.handoff import Handoff
    from codeartifact_pipenv.wrapper.pip_output import PipOutput
    from codeartifact_pipenv.wrapper.private_folder import PrivateFolder

# What keeps pip from asking a proxy for loopback.
WITHOUT_PROXY = tuple(dict.fromkeys(map(variable_name, ("NO_PROXY", "no_proxy"))))
# By which pipenv is led to the copies.
OUR_VARIABLES = ("PIPENV_PIPFILE", "PIPENV_CUSTOM_VENV_NAME")
# How a pipenv ends that was interrupted: nothing is to be explained.
INTERRUPTED = frozenset({130, 143})
# The exit status of a pipenv that does not know a word.
_UNKNOWN_COMMAND = 2
_MOST_LISTED = 5
TEMPORARY = ("TMPDIR", "TEMP", "TMP") if sys.platform == "win32" else ("TMPDIR",)


class Run:
    """One command, from the hand-off to its exit status.

    Args:
        line: the command line.
        program: the words that start pipenv.
        project: the project.
        handoff: what pipenv is given.
        tokens: by domain, its token.
        completion: the sources made one; None where pipenv sees them as they are written.
        sources: the combined sources to verify the lock with; None to skip the check.
        inherited: descriptors that the child holds on to.
        requirements: the text of a requirements file to import; None for none.
        find_links: paths of the user's own that the proxy index offers.
        elsewhere: what was checked of the command; None where nothing was.
        renew: gets another token where one is refused while the command runs; None where
            nobody could make use of it.
        ask_exists: asks AWS whether a repository exists; None as for ``renew``.
        cache: folder for what the proxy index keeps for the next run; None for none.
        report: where notes go.

    Attributes:
        index: the proxy index that it had; None for none.
        absent: the file that pip did not get from a repository that lists it, at last; None for
            none, or where that was by the proxy index.
        interrupted: whether a signal came while it ran.
    """

    def __init__(
        self,
        *,
        line: CommandLine,
        program: Sequence[str],
        project: Project,
        handoff: Handoff,
        tokens: Mapping[Domain, AuthorizationToken],
        completion: Completion | None,
        sources: Completion | None,
        inherited: Sequence[int],
        requirements: str | None,
        find_links: Sequence[str] = (),
        elsewhere: Elsewhere | None = None,
        renew: Renewal | None,
        ask_exists: AskExists | None,
        cache: str | None,
        report: Report,
    ) -> None:
        self._line = line
        self._program = program
        self._words = [*program, *line.rest]
        self._project = project
        self._tokens = tokens
        self._completion = completion
        self._sources = sources
        self._inherited = list(inherited)
        self._requirements = requirements
        self._find_links = find_links
        self._elsewhere = elsewhere
        self._renew = renew
        self._ask_exists = ask_exists
        self._cache = cache
        self._report = report
        taken = {*handoff.unset, *handoff.withheld}
        kept = {name: value for name, value in os.environ.items() if name not in taken}
        self._environ = {**kept, **handoff.environment(tokens)}
        self._netrc = handoff.netrc_lines(tokens)
        self._pip_configuration: str | None = None
        self._output: PipOutput | None = None
        self.index: ProxyIndex | None = None
        self.absent: AbsentFile | None = None
        self.interrupted = False

    def to_the_end(self) -> int:
        """Run it and return its exit status; -N when signal N ended it.

        Raises:
            PipenvNotExecutableError, PipenvNotFoundError: it cannot be started.
            ConfigurationError: its copies cannot be made, or not be published.
        """
        try:
            with (
                signals() as received,
                private_folder() as folder,
                contextlib.ExitStack() as stack,
            ):
                theirs = users_netrc(self._project.environ, self._report)
                if theirs is not None:
                    stack.enter_context(_reading(folder.write("users-netrc", theirs.lines())))
                self.index = index = self._enter_index(stack, folder)
                netrc = compose(self._netrc, theirs)
                copies = self._enter_copies(stack, index, folder)
                self._prepare(folder, netrc, copies)
                if index is not None and self._completion is not None:
                    named = commands.named_packages(self._line.command, self._line.arguments)
                    index.prefetch([*self._completion.names, *named])
                if folder.descriptor is not None:
                    self._inherited.append(folder.descriptor)
                status = self._run_child(received, folder)
                if status > 0 and self._output is not None and not received.came:
                    status = self._run_again(received, folder, status)
                if copies is not None and status == 0:
                    copies.publish(self._report, self._pylock(folder, copies), self._python())
                self.interrupted = received.came
        except Interrupted as interruption:
            status = -interruption.number
        self._tell_incomplete()
        self._tell_unproven()
        if self.index is not None and self.index.observed.unwritten is not None:
            self._report.warning(
                f"Packages could not be written to {self._environ[TEMPORARY[0]]}: "
                f"{self.index.observed.unwritten}. Make room, or name another folder in TMPDIR."
            )
        return status

    def _tell_unproven(self) -> None:
        """Warn about repositories whose existence could not be confirmed."""
        index, completion = self.index, self._completion
        for number in sorted(index.observed.unproven) if index and completion else ():
            source = completion.source_of(number) if completion else None
            place = source.endpoint.repository if source and source.endpoint else ""
            self._report.warning(
                f"Could not confirm that repository {place} exists: it served no package, and AWS "
                "gave no answer. Packages that are not marked as private were taken from other "
                f"sources. Next: check the URL of source {source.name if source else ''}, or list "
                "your private packages in private-packages."
            )

    def _tell_incomplete(self) -> None:
        """Say of which packages the default source could not be asked."""
        names = sorted(self.index.observed.incomplete) if self.index else []
        completion = self._completion
        if not names or completion is None or completion.default is None:
            return
        listed = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
        held = (
            " They are held back, since the project has a cool-down."
            if completion.cool_down
            else ""
        )
        self._report.warning(
            f"Source {completion.default.name} did not answer, so it is not known when {listed} "
            f"were uploaded, and whether they have been withdrawn.{held}"
        )

    def _run_again(self, received: Signals, folder: PrivateFolder, status: int) -> int:
        """Run what installs from the lock once more where a repository did not have a file yet."""
        self.absent = absent = self._absent_file(status)
        if absent is None:
            return status
        from codeartifact_pipenv.wrapper.absent_files import wait_for

        self._report.warning(
            f"Repository {absent.endpoint.repository} of {absent.endpoint.domain} lists "
            f"{absent.filename} and did not have it yet (404); "
            f"`pipenv {self._line.command}` is run again."
        )
        received.again()
        token = self._tokens[absent.endpoint.domain].value
        wait_for(absent, token, os.environ, received.check)
        self._output = self._listen(folder)
        status = self._run_child(received, folder)
        self.absent = self._absent_file(status)
        return status

    def _absent_file(self, status: int) -> AbsentFile | None:
        text = self._output.text() if self._output and status > 0 else ""
        if "404" not in text or status in INTERRUPTED:
            return None
        from codeartifact_pipenv.wrapper.absent_files import absent_file

        endpoints = [source.endpoint for source in self._project.sources() if source.endpoint]
        return absent_file(text, [e for e in endpoints if e.domain in self._tokens])

    def _listen(self, folder: PrivateFolder) -> PipOutput | None:
        """Listen to pip where the command may be run again: nothing else depends on it."""
        line = self._line
        if self._completion is not None or not commands.writes_nothing(
            line.command, line.arguments
        ):
            return None
        from codeartifact_pipenv.wrapper.pip_output import PipOutput

        return PipOutput({**self._environ, **self._project.environ}, folder)

    def _run_child(self, received: Signals, folder: PrivateFolder) -> int:
        words = self._words
        try:
            if self._output is not None:
                with self._output.stderr() as stderr:
                    return received.run(
                        words, self._environ, self._inherited, prepare_removal, stderr=stderr
                    )
            if self._line.command != "pylock":
                return received.run(words, self._environ, self._inherited, prepare_removal)
            with open(os.path.join(folder.path, "stdout"), "w+", encoding="utf-8") as said:
                words = [*words, "--output", folder.pylock]
                status = received.run(words, self._environ, self._inherited, stdout=said.fileno())
                said.seek(0)
                guard_stdout()
                named = commands.pylock_output(self._line.command, self._line.arguments)
                sys.stdout.write(said.read().replace(folder.pylock, named or self._project.pylock))
                return status
        except OSError as error:
            raise cannot_start(words[0], error) from error

    def _pylock(self, folder: PrivateFolder, copies: ProjectCopies) -> tuple[str, str] | None:
        """Return where pylock.toml belongs, and the text that pipenv has made for it, if any.

        pipenv would write it beside the Pipfile at once, whatever becomes of the command.
        """
        place = self._pylock_place()
        if self._line.command != "pylock":
            if not (self._project.uses_pylock and copies.wrote_lock()):
                return None
            from codeartifact_pipenv.processes.capture import capture

            words = [*self._program, "pylock", "--generate", "--output", folder.pylock]
            done = capture(words, seconds=None, environ=self._environ)
            if done.status == _UNKNOWN_COMMAND:
                return None  # this pipenv writes none
            self._report.line(done.stderr.strip() or f"Generated pylock.toml at {place}")
        try:
            return place, read_text(folder.pylock)
        except OSError:
            return None

    def _python(self) -> str | None:
        """Return the Python of the environment of a project that is being made, such as 3.12."""
        if self._project.new_text is None or "--system" in self._line.arguments:
            return None
        from codeartifact_pipenv.processes.capture import output_of

        place = output_of([*self._program, "--venv"], seconds=30, environ=self._environ)
        try:
            text = read_text(os.path.join(place or "", "pyvenv.cfg"))
        except OSError:
            return None
        # ("version" as venv writes it, "version_info" as virtualenv does.)
        lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
        version = lines.get("version_info") or lines.get("version") or ""
        return ".".join(version.split(".")[:2]) or None

    def _pylock_place(self) -> str:
        """Return the path of pylock.toml; ConfigurationError as for ``Project.pylock``."""
        named = commands.pylock_output(self._line.command, self._line.arguments)
        directory = self._project.directory
        return os.path.join(directory, named) if named else self._project.pylock

    def _enter_index(self, stack: contextlib.ExitStack, folder: PrivateFolder) -> ProxyIndex | None:
        if self._completion is None:
            return None
        from codeartifact_pipenv.proxy_index.model import USERNAME

        completion = self._completion
        index = stack.enter_context(self._make_index(completion, folder))
        for host, (username, password) in completion.logins.items():
            self._netrc.append(f"machine {host} login {username} password {password}")
        self._netrc.append(f"machine {index.host} login {USERNAME} password {index.password}")
        if index.is_at_kept_address:
            from codeartifact_pipenv.files.pip_config import words

            # pip keeps nothing that comes by plain http from others.
            trusted = [*words("trusted-host", self._environ), index.host]
            self._environ["PIP_TRUSTED_HOST"] = " ".join(trusted)
        self._pass_proxies(index.host)
        if commands.is_run(self._line.command):
            self._environ["PIP_INDEX_URL"] = index.url
        return index

    def _make_index(self, completion: Completion, folder: PrivateFolder) -> ProxyIndex:
        from codeartifact_pipenv.proxy_index.index import ProxyIndex
        from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources, Upstream

        sources = IndexSources(
            [Upstream(e, self._tokens[e.domain].value) for e in completion.endpoints],
            completion.default_url,
            completion.private(),
            completion.private_patterns,
            completion.mirror,
            completion.elsewhere(self._project.environ),
            self._find_links,
            needs_dates=completion.cool_down is not None,
        )
        access = IndexAccess(
            completion.logins, self._renew, self._ask_exists, self._cache, folder.path
        )
        return ProxyIndex(sources, access)

    def _pass_proxies(self, host: str) -> None:
        from codeartifact_pipenv.wrapper.pip_proxy import without_proxy

        # pip's own settings know no exceptions; the common ones mean the same, and do.
        configured, self._pip_configuration = without_proxy(self._environ) or (None, None)
        proxy = self._environ.pop("PIP_PROXY", None) or configured
        if proxy:
            names = [*map(variable_name, ("http_proxy", "https_proxy"))]
            # (The index asks in pip's place, and so does whoever explains a failure.)
            for environ in (self._environ, os.environ):
                environ.update(dict.fromkeys(names, proxy))
        for name in WITHOUT_PROXY:
            kept = self._environ.get(name)
            self._environ[name] = f"{kept},{host}" if kept else host

    def _enter_copies(
        self, stack: contextlib.ExitStack, index: ProxyIndex | None, folder: PrivateFolder
    ) -> ProjectCopies | None:
        line = self._line
        if commands.is_run(line.command):
            return None
        if index is None and commands.writes_nothing(line.command, line.arguments):
            return None
        from codeartifact_pipenv.wrapper.copies import ProjectCopies

        if line.command == "pylock" or self._project.uses_pylock:
            self._pylock_place()  # raises if its name leads elsewhere
        reference, sources = None, self._sources
        # (A token that stands in a URL itself is not known here.)
        if index is None and sources and all(e.domain in self._tokens for e in sources.endpoints):
            reference = sources, self._make_index(sources, folder)
            stack.callback(reference[1].close)
        copies = ProjectCopies(line, self._project, self._completion, index, reference)
        stack.callback(copies.remove)
        self._environ |= copies.environment()
        self._report.note(f"works on {copies.pipfile}")
        return copies

    def _prepare(
        self, folder: PrivateFolder, netrc: str | None, copies: ProjectCopies | None
    ) -> None:
        self._environ |= dict.fromkeys(TEMPORARY, folder.path)
        if self._pip_configuration is not None:
            written = folder.write("pip.conf", self._pip_configuration)
            self._environ["PIP_CONFIG_FILE"] = written
        if netrc is not None:
            self._environ["NETRC"] = folder.write("netrc", netrc)
        if copies is not None:
            self._keep_dotenv_out(folder)
        if self._elsewhere is not None:
            self._words = [*self._program, *self._elsewhere.words(folder)]
            self._environ |= self._elsewhere.variables(folder)
        self._output = self._listen(folder)
        self._environ |= self._output.variables if self._output is not None else {}
        if self._requirements is not None:
            written = folder.write("requirements.txt", self._requirements)
            self._words += ["--requirements", written]
        names = sorted(n for n in self._environ if self._environ[n] != os.environ.get(n))
        self._report.note(f"runs {' '.join(self._words)} with {', '.join(names)} set")

    def _keep_dotenv_out(self, folder: PrivateFolder) -> None:
        """Give pipenv a ``.env`` that does not lead it past the copies."""
        dotenv = self._project.dotenv
        if dotenv is None or not {*OUR_VARIABLES} & dotenv.values.keys():
            return
        from codeartifact_pipenv.wrapper.copies import dotenv_without

        text = dotenv_without(OUR_VARIABLES, read_text(dotenv.path))
        self._environ["PIPENV_DOTENV_LOCATION"] = folder.write("dotenv", text)


@contextlib.contextmanager
def _reading(netrc: str) -> Iterator[None]:
    """Have this process, whose proxy index asks by requests, read a netrc file, too."""
    before = os.environ.get("NETRC")
    os.environ["NETRC"] = netrc
    try:
        yield
    finally:
        del os.environ["NETRC"]
        if before is not None:
            os.environ["NETRC"] = before
