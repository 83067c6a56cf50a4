"""Carries a plan out, in rounds: do its steps, look again, until there is nothing left to do.

So an earlier run that was killed, another one at the same time, and AWS showing late what was
made (its own CloudFormation handlers wait for that) all come to the same end.
"""

from __future__ import annotations

import time

from codeartifact_pipenv.provision.calls import AbsentError, OvertakenError, ProvisionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.provision.calls import Calls
    from codeartifact_pipenv.provision.steps import Plan, Step

WAIT = 60.0
"""How many seconds AWS has to show what was made."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0


def carry_out(
    plan: Plan,
    survey: Callable[[], Plan],
    calls: Calls,
    tell: Callable[[Step], None],
    seconds: float = WAIT,
) -> None:
    """Do what a plan says, and whatever is still to be done after it.

    Args:
        plan: the plan that was agreed to.
        survey: looks at what there is, and plans again.
        calls: AWS.
        tell: called after each step that was done.
        seconds: after so many a round is the last one, done or not.

    Raises:
        ProvisionError: what is there meanwhile cannot be reconciled, or AWS does not show
            within the time what was made.
        CodeArtifactPipenvError: AWS refuses a step, or is not reached.
    """
    told: set[str] = set()
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while plan.steps:
        late = _round(plan, calls, tell, told)
        plan = survey()
        if plan.conflicts:
            raise ProvisionError(*plan.conflicts[0])
        if plan.steps and time.monotonic() > deadline:
            raise late or ProvisionError(
                f"AWS does not show after {seconds:g} seconds what was asked of it: to "
                f"{plan.steps[0].sentence}.",
                "Run the command again: it goes on from what is there.",
            )
        if plan.steps:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _round(
    plan: Plan, calls: Calls, tell: Callable[[Step], None], told: set[str]
) -> ProvisionError | None:
    """Do the steps up to one that is overtaken; return what AWS said to that one.

    What was made is not made again, only because AWS does not show it yet: of a policy's
    versions there would be two.
    """
    for step in plan.steps:
        if step.action == "make" and step.sentence in told:
            continue
        try:
            step.perform(calls)
        except (AbsentError, OvertakenError) as error:
            return error
        if step.sentence not in told:
            told.add(step.sentence)
            tell(step)
    return None
