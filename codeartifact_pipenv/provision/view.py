"""How a plan is shown, agreed to and reported: for people, or as JSON."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, NamedTuple

from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError
from codeartifact_pipenv.provision.applying import WAIT, carry_out
from codeartifact_pipenv.provision.steps import Plan
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from codeartifact_pipenv.provision.calls import Calls
    from codeartifact_pipenv.provision.steps import Step
    from codeartifact_pipenv.report import Report

_MARKS = {"make": "+", "change": "~"}


class Agreement:
    """What the words say of how a plan is carried out; an argparse namespace."""

    dry_run: bool = False
    yes: bool = False
    json: bool = False
    wait: float = WAIT


class Subject(NamedTuple):
    """What is planned.

    Attributes:
        title: what the plan is about.
        survey: looks and plans.
        is_shown: whether AWS shows afterwards what was done; else its answers are believed.
    """

    title: str
    survey: Callable[[], Plan]
    is_shown: bool = True


class Outcome(NamedTuple):
    """What is told at the end.

    Attributes:
        document: for machines; the plan and the result are added to it.
        lines: for people, after a plan was carried out or found that nothing is to be done.
    """

    document: dict[str, Any]
    lines: Sequence[str]


def add_agreement_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a plan is carried out."""
    parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="plan and result as JSON")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT,
        metavar="SECONDS",
        help=f"how long AWS has to show what was made ({WAIT:g})",
    )


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 <= seconds < math.inf:
        raise ValueError
    return seconds


def run_plan(
    subject: Subject, calls: Calls, agreement: Agreement, outcome: Outcome, report: Report
) -> int:
    """Show a plan, ask, carry it out and tell the end.

    Args:
        subject: what is planned.
        calls: AWS.
        agreement: how.
        outcome: what is told at the end.
        report: where conflicts are told.

    Returns:
        The exit status: 0 where all is as wanted, 1 where something cannot be reconciled.

    Raises:
        UsageError: there is nobody to ask, and no ``--yes``.
        CodeArtifactPipenvError: AWS refuses something, or is not reached.
    """
    shown = _Shown(agreement.json, outcome.document)
    try:
        return _run(subject, calls, agreement, outcome, shown, report=report)
    except CodeArtifactPipenvError as error:
        shown.document["error"] = {
            "sentence": error.sentence,
            "hint": error.hint,
            "code": error.code,
        }
        raise
    except KeyboardInterrupt:
        shown.say("", "Interrupted: what was done stays, and the same command goes on from there.")
        raise
    finally:
        shown.end()


def _run(
    subject: Subject,
    calls: Calls,
    agreement: Agreement,
    outcome: Outcome,
    shown: _Shown,
    *,
    report: Report,
) -> int:
    with report.working("looks at what is in AWS"):
        plan = subject.survey()
    shown.document.update(_document(plan))
    shown.say(subject.title, *_lines(plan))
    if plan.conflicts:
        for conflict in plan.conflicts:
            report.error(
                *conflict,
                "provision-conflict",
            )
        shown.say("Nothing was changed.")
        return 1
    if plan.steps and agreement.dry_run:
        shown.say("Nothing was changed: this was a dry run.")
        return 0
    if not plan.steps:
        shown.say("Nothing is to be done.")
    elif not _agreed(agreement, report):
        shown.say("Nothing was changed.")
        return 1
    else:
        look_again = subject.survey if subject.is_shown else Plan
        carry_out(plan, look_again, calls, shown.done, agreement.wait)
    shown.document["as_wanted"] = True
    shown.say("", *outcome.lines)
    return 0


class _Shown:
    """What goes to stdout: lines at once, or one document at the end."""

    def __init__(self, as_json: bool, document: dict[str, Any]) -> None:
        self._as_json = as_json
        self.document: dict[str, Any] = {**document, "done": [], "as_wanted": False}

    def say(self, *lines: str) -> None:
        if not self._as_json:
            sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
            sys.stdout.flush()

    def done(self, step: Step) -> None:
        self.document["done"].append(step.sentence)
        self.say(f"done: {step.sentence}")

    def end(self) -> None:
        if self._as_json:
            sys.stdout.write(f"{json.dumps(self.document, indent=2)}\n")


def _lines(plan: Plan) -> list[str]:
    return [
        *(f"  = {sentence}: as wanted" for sentence in plan.present),
        *(f"  {_MARKS[step.action]} {step.sentence}: {step.reason}" for step in plan.steps),
        *(f"  note: {note}" for note in plan.notes),
    ]


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "present": list(plan.present),
        "plan": [
            {"action": step.action, "step": step.sentence, "reason": step.reason}
            for step in plan.steps
        ],
        "conflicts": [conflict._asdict() for conflict in plan.conflicts],
        "notes": list(plan.notes),
    }


def _agreed(agreement: Agreement, report: Report) -> bool:
    if agreement.yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask on, so nothing was changed.",
            "Give --yes to carry the plan out, or --dry-run to see it only.",
        )
    # (On stderr: stdout may go into a file.)
    report.ask("Carry this out? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
