"""The command lines of ``pipenv-ca provision``: one module for each part."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

PARTS = {
    "access": "access",
    "policy": "policies",
    "protect": "protect",
    "trust": "trust",
}
"""The words that may follow the verb, each with its module."""


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Run one part of provisioning; without a part, domain and repositories.

    Raises:
        CodeArtifactPipenvError: as the parts do.
    """
    part = PARTS.get(arguments[0]) if arguments else None
    rest = arguments if part is None else arguments[1:]
    module = importlib.import_module(f"{__package__}.{part or 'repositories'}")
    status: int = module.main(rest, settings, report)
    return status
