"""The command lines of ``pipenv-ca provision``: one module for each part."""

from __future__ import annotations

import getpass
import importlib
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

PARTS = ("access", "policy", "protect", "trust")
"""The words that may follow the verb; each is a module."""


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Run one part of provisioning; without a part, domain and repositories.

    Raises:
        UsageError: the arguments are wrong, or a terminal is needed to ask.
        ConfigurationError: a file of the project or of a tool cannot be used.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    # Without a terminal, a second factor must not be read from stdin.
    warnings.simplefilter("error", getpass.GetPassWarning)
    name, rest = "repositories", list(arguments)
    if rest and rest[0] in PARTS:
        name = rest.pop(0)
    module = importlib.import_module(f"{__package__}.{name}")
    status: int = module.main(rest, settings, report)
    return status
