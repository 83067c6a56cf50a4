"""Shows what would be done, asks, does it and reports: for people, or as JSON."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from typing import Any, NamedTuple

from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError
from codeartifact_pipenv.provision.aws import AbsentError, OvertakenError, ProvisionError
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from codeartifact_pipenv.provision.aws import Aws
    from codeartifact_pipenv.provision.ensure import Done
    from codeartifact_pipenv.report import Report

    Ensure = Callable[[bool], Iterable[Done]]

WAIT = 60.0
"""How many seconds to wait until AWS shows what was created."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
_MARKS = {"present": "=", "created": "+", "changed": "~"}
_ACTIONS = {"created": "make", "changed": "change"}


class PlanOptions:
    """The options about how a plan is carried out; an argparse namespace."""

    dry_run: bool = False
    yes: bool = False
    json: bool = False
    wait: float = WAIT


class Subject(NamedTuple):
    """What is planned.

    Attributes:
        title: what the plan is about.
        ensure: called with ``dry_run``; yields what it did.
        document: for ``--json``; plan and result are added to it.
        next_lines: printed at the end for people.
        is_shown: whether AWS shows afterwards what was done, so that it can be checked.
    """

    title: str
    ensure: Ensure
    document: dict[str, Any]
    next_lines: Sequence[str]
    is_shown: bool = False


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about how a plan is carried out."""
    parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="plan and result as JSON")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT,
        metavar="SECONDS",
        help=f"how long to wait until AWS shows what was created ({WAIT:g})",
    )


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 <= seconds < math.inf:
        raise ValueError
    return seconds


def run_plan(subject: Subject, aws: Aws, options: PlanOptions, report: Report) -> int:
    """Show a plan, ask, carry it out and report.

    Returns:
        The exit status: 0 if all is as wanted, 1 on a conflict or if the user says no.

    Raises:
        UsageError: there is no terminal to ask on, and no ``--yes``.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    output = _Output(options.json, subject.document)
    try:
        return _run(subject, aws, options, output, report)
    except CodeArtifactPipenvError as error:
        output.document["error"] = {
            "sentence": error.sentence,
            "hint": error.hint,
            "code": error.code,
        }
        raise
    except KeyboardInterrupt:
        output.say("", "Interrupted. What was done stays; run the same command to continue.")
        raise
    finally:
        output.end()


def _run(subject: Subject, aws: Aws, options: PlanOptions, output: _Output, report: Report) -> int:
    with report.working("looks at what is in AWS"):
        identity = _identity(aws)
        planned = list(subject.ensure(True))
    changes = output.plan(subject.title, identity, planned)
    conflicts = [done for done in planned if done.status == "conflict"]
    for conflict in conflicts:
        report.error(
            conflict.sentence,
            conflict.detail,
            "provision-conflict",
        )
    if not conflicts and changes and options.dry_run:
        output.say("Nothing was changed: this was a dry run.")
        return 0
    if conflicts or (changes and not _agreed(options, report)):
        output.say("Nothing was changed.")
        return 1
    if changes:
        carry_out(subject.ensure, output.done, options.wait, is_shown=subject.is_shown)
    else:
        output.say("No changes needed.")
    output.document["as_wanted"] = True
    output.say("", *subject.next_lines)
    return 0


def _identity(aws: Aws) -> str:
    # Only for the plan: where STS cannot be reached, CodeArtifact may be.
    with contextlib.suppress(ProvisionError):
        return aws.identity
    return ""


def carry_out(
    ensure: Ensure, tell: Callable[[Done], None], seconds: float, *, is_shown: bool
) -> None:
    """Ensure, again while another run or AWS's own delay is in the way.

    Args:
        ensure: as in :class:`Subject`.
        tell: called after each change.
        seconds: how long to try.
        is_shown: whether to look again until nothing is left to change.

    Raises:
        ProvisionError: a conflict appeared meanwhile, or AWS does not show in time what was done.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    told: set[str] = set()
    while True:
        late = _try(ensure, tell, told)
        if not late and not (is_shown and _is_left(ensure)):
            return
        if time.monotonic() > deadline:
            raise ProvisionError(
                f"After {seconds:g} seconds AWS does not show yet what was asked of it"
                f"{f': {late}' if late else '.'}",
                "Run the command again: it continues from what is there.",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _is_left(ensure: Ensure) -> bool:
    return any(done.status not in {"present", "note"} for done in ensure(True))


def _try(ensure: Ensure, tell: Callable[[Done], None], told: set[str]) -> str:
    """Return '' if all was done, or why AWS is not ready."""
    try:
        for done in ensure(False):
            if done.status == "conflict":
                raise ProvisionError(done.sentence, done.detail, "provision-conflict")
            if done.is_change and done.sentence not in told:
                told.add(done.sentence)
                tell(done)
    except (AbsentError, OvertakenError) as error:
        return error.sentence
    return ""


class _Output:
    """Prints to stdout: lines at once, or one JSON document at the end."""

    def __init__(self, as_json: bool, document: dict[str, Any]) -> None:
        self._as_json = as_json
        self.document: dict[str, Any] = {**document, "done": [], "as_wanted": False}

    def plan(self, title: str, identity: str, planned: list[Done]) -> bool:
        """Show a plan; return whether there is something to change."""
        blocked = any(done.status == "conflict" for done in planned)
        changes = [done for done in planned if done.is_change and not blocked]
        self.document |= {
            "identity": identity,
            "present": [done.sentence for done in planned if done.status == "present"],
            "plan": [
                {"action": _ACTIONS[done.status], "step": done.sentence, "reason": done.detail}
                for done in changes
            ],
            "conflicts": [
                {"sentence": done.sentence, "hint": done.detail}
                for done in planned
                if done.status == "conflict"
            ],
            "notes": [done.sentence for done in planned if done.status == "note"],
        }
        self.say(title, *([f"  as {identity}"] if identity else []))
        self.say(*(_line(done) for done in planned if _is_shown(done, blocked)))
        return bool(changes)

    def say(self, *lines: str) -> None:
        if not self._as_json:
            sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
            sys.stdout.flush()

    def done(self, done: Done) -> None:
        self.document["done"].append(done.sentence)
        self.say(f"done: {done.sentence}")

    def end(self) -> None:
        if self._as_json:
            sys.stdout.write(f"{json.dumps(self.document, indent=2)}\n")


def _is_shown(done: Done, blocked: bool) -> bool:
    # Conflicts are errors, on stderr.
    return done.status != "conflict" and not (blocked and done.is_change)


def _line(done: Done) -> str:
    if done.status in _MARKS:
        detail = f" ({done.detail})" if done.detail else ""
        return f"  {_MARKS[done.status]} {done.sentence}{detail}"
    return f"  {done.status}: {done.sentence}"


def _agreed(options: PlanOptions, report: Report) -> bool:
    if options.yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "Nothing was changed: without a terminal, you cannot be asked.",
            "Give --yes to carry the plan out, or --dry-run to see it only.",
        )
    # On stderr, since stdout may go into a file.
    report.ask("Carry this out? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
