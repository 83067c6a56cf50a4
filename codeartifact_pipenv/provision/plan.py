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
    from codeartifact_pipenv.report import Report

_WAIT = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
_SETTLED = {"present", "note"}
# How a line of the plan begins. Conflicts are errors, on stderr.
_STARTS = {"present": "  = ", "make": "  + ", "change": "  ~ ", "note": "  note: "}


class Step(NamedTuple):
    """One finding about a resource, with the change that it needs.

    Attributes:
        status: ``present``, ``make``, ``change``, ``conflict``, or ``note``.
        sentence: the resource that is present; or the change, as an order: ``create domain acme``.
        detail: why; of a conflict, what the user can do.
        carry_out: makes the change.
    """

    status: str
    sentence: str
    detail: str = ""
    carry_out: Callable[[], object] | None = None


class Plan(NamedTuple):
    """A plan of changes.

    Attributes:
        title: its heading.
        steps: yields the steps from the present state of AWS. To carry the plan out, each step
            is carried out before the next one is looked for.
        document: for ``--json``; plan and result are added to it.
        next_lines: printed at the end for people.
        repeats: whether to look and try again until AWS shows that no change is left.
    """

    title: str
    steps: Callable[[], Iterable[Step]]
    document: dict[str, Any]
    next_lines: Sequence[str]
    repeats: bool = False


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about how a plan is carried out."""
    parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="plan and result as JSON")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT,
        metavar="SECONDS",
        help=f"how long to wait until AWS shows what was created ({_WAIT:g})",
    )


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 <= seconds < math.inf:
        raise ValueError
    return seconds


def run_plan(plan: Plan, aws: Aws, options: argparse.Namespace, report: Report) -> int:
    """Show a plan, ask, carry it out and report.

    Returns:
        The exit status: 0 if all is as wanted, 1 on a conflict or if the user says no.

    Raises:
        UsageError: a terminal is needed to ask, and ``--yes`` was not given.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    run = _Run(plan, options, report)
    try:
        with aws.reading():
            return run.run(aws)
    except CodeArtifactPipenvError as error:
        about = {"sentence": error.sentence, "hint": error.hint, "code": error.code}
        run.document["error"] = about
        raise
    except KeyboardInterrupt:
        run.say("", "Interrupted. Completed steps are kept; run the same command to continue.")
        raise
    finally:
        if options.json:
            sys.stdout.write(f"{json.dumps(run.document, indent=2)}\n")


class _Run:
    """One run of a plan, reported line by line or in one document at the end."""

    def __init__(self, plan: Plan, options: argparse.Namespace, report: Report) -> None:
        self._plan = plan
        self._options = options
        self._report = report
        self.document: dict[str, Any] = {**plan.document, "done": [], "as_wanted": False}

    def say(self, *lines: str) -> None:
        if not self._options.json:
            sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
            sys.stdout.flush()

    def run(self, aws: Aws) -> int:
        with self._report.working("reads the state of AWS"):
            identity = self.document["identity"] = _identity(aws)
            steps = list(self._plan.steps())
        self.say(self._plan.title, f"  as {identity or 'an unknown identity'}")
        conflicts = [step for step in steps if step.status == "conflict"]
        changes = [step for step in steps if step.carry_out and not conflicts]
        self._show(steps, changes, conflicts)
        if changes and self._options.dry_run:
            self.say("Nothing was changed: this was a dry run.")
            return 0
        if conflicts or (changes and not self._is_agreed()):
            self.say("Nothing was changed.")
            return 1
        if changes:
            carry_out(self._plan, self._report_done, self._options.wait)
        else:
            self.say("No changes needed.")
        self.document["as_wanted"] = True
        self.say("", *self._plan.next_lines)
        return 0

    def _show(self, steps: list[Step], changes: list[Step], conflicts: list[Step]) -> None:
        self.document |= {
            "present": [step.sentence for step in steps if step.status == "present"],
            "plan": [
                {"action": step.status, "step": step.sentence, "reason": step.detail}
                for step in changes
            ],
            "conflicts": [{"sentence": step.sentence, "hint": step.detail} for step in conflicts],
            "notes": [step.sentence for step in steps if step.status == "note"],
        }
        for step in steps:
            if step.status == "conflict":
                self._report.error(
                    step.sentence,
                    step.detail,
                    "provision-conflict",
                )
            elif step in changes or step.carry_out is None:
                detail = f" ({step.detail})" if step.detail else ""
                self.say(f"{_STARTS[step.status]}{step.sentence}{detail}")

    def _is_agreed(self) -> bool:
        if self._options.yes:
            return True
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(
                "Nothing was changed: without a terminal, the plan cannot be confirmed.",
                "Give --yes to apply the plan, or --dry-run to only show it.",
            )
        # On stderr, since stdout may go into a file.
        self._report.ask("Apply this plan? [y/N] ")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def _report_done(self, step: Step) -> None:
        # After a delay of AWS the same step may be carried out again.
        if step.sentence not in self.document["done"]:
            self.document["done"].append(step.sentence)
            self.say(f"done: {step.sentence}")


def _identity(aws: Aws) -> str:
    # If STS cannot be reached, CodeArtifact may still be.
    with contextlib.suppress(ProvisionError):
        return aws.identity
    return ""


def carry_out(plan: Plan, on_done: Callable[[Step], object], seconds: float) -> None:
    """Make the changes of a plan, and report each.

    A plan that repeats is tried again for so many seconds, because of another run or AWS's own delay,
    until no change is left.

    Raises:
        ProvisionError: a conflict appeared, or AWS does not show the changes in time.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            for step in plan.steps():
                if step.status == "conflict":
                    raise ProvisionError(step.sentence, step.detail, "provision-conflict")
                if step.carry_out:
                    step.carry_out()
                    on_done(step)
            if not plan.repeats or all(step.status in _SETTLED for step in plan.steps()):
                return
            late = "AWS does not show yet what was changed."
        except (AbsentError, OvertakenError) as error:
            if not plan.repeats:
                raise
            late = error.sentence
        if time.monotonic() > deadline:
            raise ProvisionError(
                f"Not finished after {seconds:g} seconds: {late}",
                "Run the command again: it continues from the current state.",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
