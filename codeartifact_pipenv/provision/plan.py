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
    """What is to be brought about.

    Attributes:
        title: what the plan is about.
        look: yields the steps from the present state of AWS. To carry the plan out, each step
            is carried out before the next one is looked for.
        document: for ``--json``; plan and result are added to it.
        next_lines: printed at the end for people.
        repeats: whether to look and try again until AWS shows that no change is left.
    """

    title: str
    look: Callable[[], Iterable[Step]]
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
        UsageError: there is no terminal to ask on, and no ``--yes``.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    output = _Output(plan, as_json=options.json)
    try:
        return _run(plan, aws, options, output, report)
    except CodeArtifactPipenvError as error:
        about = {"sentence": error.sentence, "hint": error.hint, "code": error.code}
        output.document["error"] = about
        raise
    except KeyboardInterrupt:
        output.say("", "Interrupted. What was done stays; run the same command to continue.")
        raise
    finally:
        output.end()


def _run(plan: Plan, aws: Aws, options: argparse.Namespace, output: _Output, report: Report) -> int:
    identity = ""
    with report.working("looks at what is in AWS"):
        # Where STS cannot be reached, CodeArtifact may be.
        with contextlib.suppress(ProvisionError):
            identity = aws.identity
        steps = list(plan.look())
    conflicts = [step for step in steps if step.status == "conflict"]
    for conflict in conflicts:
        report.error(conflict.sentence, conflict.detail, "provision-conflict")
    if conflicts:
        steps = [step for step in steps if step.carry_out is None]
    has_changes = any(step.carry_out for step in steps)
    output.show(identity, steps)
    if has_changes and options.dry_run:
        output.say("Nothing was changed: this was a dry run.")
        return 0
    if conflicts or (has_changes and not _is_agreed(options, report)):
        output.say("Nothing was changed.")
        return 1
    if has_changes:
        carry_out(plan, output.tell, options.wait)
    else:
        output.say("No changes needed.")
    output.document["as_wanted"] = True
    output.say("", *plan.next_lines)
    return 0


def _is_agreed(options: argparse.Namespace, report: Report) -> bool:
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


def carry_out(plan: Plan, tell: Callable[[Step], object], seconds: float) -> None:
    """Make the changes of a plan.

    Args:
        plan: the plan. If it repeats, it is tried again while another run or AWS's own delay is
            in the way, and until no change is left.
        tell: called after each change.
        seconds: how long to try.

    Raises:
        ProvisionError: a conflict appeared meanwhile, or AWS does not show in time what was done.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            _carry_out_once(plan, tell)
            if not plan.repeats or all(step.status in _SETTLED for step in plan.look()):
                return
            late = "AWS does not show yet what was changed."
        except (AbsentError, OvertakenError) as error:
            if not plan.repeats:
                raise
            late = error.sentence
        if time.monotonic() > deadline:
            raise ProvisionError(
                f"Not finished after {seconds:g} seconds: {late}",
                "Run the command again: it continues from what is there.",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _carry_out_once(plan: Plan, tell: Callable[[Step], object]) -> None:
    for step in plan.look():
        if step.status == "conflict":
            raise ProvisionError(step.sentence, step.detail, "provision-conflict")
        if step.carry_out:
            step.carry_out()
            tell(step)


class _Output:
    """Prints to stdout: lines at once, or one JSON document at the end."""

    def __init__(self, plan: Plan, *, as_json: bool) -> None:
        self._plan = plan
        self._as_json = as_json
        self.document: dict[str, Any] = {**plan.document, "done": [], "as_wanted": False}

    def show(self, identity: str, steps: list[Step]) -> None:
        self.document |= {
            "identity": identity,
            "present": [step.sentence for step in steps if step.status == "present"],
            "plan": [
                {"action": step.status, "step": step.sentence, "reason": step.detail}
                for step in steps
                if step.carry_out
            ],
            "conflicts": [
                {"sentence": step.sentence, "hint": step.detail}
                for step in steps
                if step.status == "conflict"
            ],
            "notes": [step.sentence for step in steps if step.status == "note"],
        }
        self.say(self._plan.title, *([f"  as {identity}"] if identity else []))
        self.say(*(_line(step) for step in steps if step.status in _STARTS))

    def tell(self, step: Step) -> None:
        # After a delay of AWS the same step may be carried out again.
        if step.sentence not in self.document["done"]:
            self.document["done"].append(step.sentence)
            self.say(f"done: {step.sentence}")

    def say(self, *lines: str) -> None:
        if not self._as_json:
            sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
            sys.stdout.flush()

    def end(self) -> None:
        if self._as_json:
            sys.stdout.write(f"{json.dumps(self.document, indent=2)}\n")


def _line(step: Step) -> str:
    detail = f" ({step.detail})" if step.detail else ""
    return f"{_STARTS[step.status]}{step.sentence}{detail}"
