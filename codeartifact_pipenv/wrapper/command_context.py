"""The command that a run is for, and the settings in force."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.executable import Pipenv
    from codeartifact_pipenv.wrapper.failed_run import FailedRun


class CommandContext(NamedTuple):
    """The command line and the settings in force.

    Attributes:
        line: the command line.
        pipenv: the pipenv to run.
        settings: the settings in force.
        report: where messages go.
        explain: returns the cause of a failed command, if known.
        pip: whether the command is a pip that uses an index.
        gives_token: whether any program that the command starts gets the token.
    """

    line: CommandLine
    pipenv: Pipenv
    settings: Settings
    report: Report
    explain: Callable[[FailedRun], Finding | None]
    pip: bool = False
    gives_token: bool = False
