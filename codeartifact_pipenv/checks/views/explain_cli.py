"""The command line of ``pipenv-ca explain``."""

from __future__ import annotations

import difflib
import json
import shlex
import sys
import time
from itertools import groupby

from codeartifact_pipenv.auth.authorization_token import describe_age
from codeartifact_pipenv.causes import CAUSES, Cause
from codeartifact_pipenv.checks.views.output import WORDS, clean, finding_json
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError
from codeartifact_pipenv.terminal.arguments import Parser
from codeartifact_pipenv.terminal.text import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.checks.last_failure import LastFailure
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_WIDTH = 79


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Explain codes, or the last failure of the project, and return the exit status.

    Raises:
        UsageError: a code is unknown.
        CodeArtifactPipenvError: the project or pipenv is not found.
    """
    parser = _parser()
    chosen = parser.parse_args(list(arguments))
    if chosen.list and chosen.codes:
        parser.error("--list takes no CODE")
    if not chosen.list and not chosen.codes:
        return _explain_last(settings, report, as_json=chosen.json)
    causes = list(CAUSES.values()) if chosen.list else [_find_cause(code) for code in chosen.codes]
    if chosen.json:
        rows = [{**cause._asdict(), "level": WORDS[cause.level]} for cause in causes]
        text = json.dumps(rows, indent=2)
    elif chosen.list:
        text = _list_of(causes)
    else:
        text = "\n\n".join(_page(cause) for cause in causes)
    sys.stdout.write(f"{text}\n")
    return 0


def _explain_last(settings: Settings, report: Report, *, as_json: bool) -> int:
    """Explain the last failure of the project; return 1 if its cause is unknown, else 0."""
    from codeartifact_pipenv.checks.explain import explain_again
    from codeartifact_pipenv.checks.last_failure import last_failure

    failure = last_failure(settings)
    if failure is None:
        raise CodeArtifactPipenvError(
            "No failed command of this project is recorded.",
            "Run `pipenv-ca doctor` to check everything, or add a code.",
        )
    with report.working("looks for the cause"):
        finding = explain_again(failure, settings, report)
    ago = describe_age(max(0.0, time.time() - failure.ended_at))
    command = shlex.join(["pipenv", *failure.words])
    if as_json:
        found = None if finding is None else finding_json(finding)
        document = {"command": command, "ended_at": failure.ended_at, "finding": found}
        sys.stdout.write(f"{json.dumps(document, indent=2)}\n")
    else:
        sys.stdout.write(f"`{clean(command)}` failed {ago} ago.\n{_cause_text(failure, finding)}\n")
    return int(finding is None)


def _cause_text(failure: LastFailure, finding: Finding | None) -> str:
    if finding is None:
        before = f" When it failed, the cause was {failure.code}." if failure.code else ""
        return (
            f"No cause was found now.{before} Run the command again, or run `pipenv-ca doctor` to "
            "check everything."
        )
    code = f" [{finding.code}]" if finding.code else ""
    parts = [f"{finding.sentence}{code}", f"hint: {finding.hint}"]
    text = "\n".join(_wrapped(clean(part)) for part in parts)
    cause = CAUSES.get(finding.code or "")
    return f"{text}\n\n{_wrapped(cause.text)}" if cause and cause.text else text


def _find_cause(code: str) -> Cause:
    if code in CAUSES:
        return CAUSES[code]
    near = difflib.get_close_matches(code.lower(), CAUSES, n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"Unknown code {code!r}.{guess}", "`pipenv-ca explain --list` lists all codes."
    )


def _page(cause: Cause) -> str:
    parts = [cause.sentence, f"Next step: {cause.hint}", cause.text]
    head = f"{cause.code} ({WORDS[cause.level]})"
    return "\n\n".join([head, *(_wrapped(part) for part in parts if part)])


def _wrapped(text: str, indent: str = "") -> str:
    return "\n".join(f"{indent}{line}" for line in wrap(text, _WIDTH - len(indent)))


def _list_of(causes: list[Cause]) -> str:
    return "\n\n".join(
        "\n".join(
            [section, *(f"  {cause.code}\n{_wrapped(cause.sentence, '    ')}" for cause in group)]
        )
        for section, group in groupby(causes, key=lambda cause: cause.section)
    )


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca explain",
        description="Explain why the last command of this project failed, or what a code at the "
        "end of a message means. Exit status 1 if no cause is found.",
        examples={
            "pipenv-ca explain": "the last failure of this project",
            "pipenv-ca explain read-denied": "one code",
            "pipenv-ca explain --list": "all codes",
        },
    )
    parser.add_argument(
        "codes",
        metavar="CODE",
        nargs="*",
        help="a code, such as read-denied (default: look for the cause of the last failure)",
    )
    parser.add_argument("--list", action="store_true", help="list all codes by section")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
