"""The command lines of ``pipenv-ca provision``: which of its parts is meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Run one part of provisioning; the repositories' where none is named.

    Raises:
        CodeArtifactPipenvError: as its parts do.
    """
    from codeartifact_pipenv.provision import repositories

    return repositories.main(arguments, settings, report)
