"""Removes what killed commands have left; loaded by every command."""

from __future__ import annotations

from codeartifact_pipenv.wrapper import private_folder, project_lock


def sweep() -> None:
    """Remove private folders, and copies in this project, whose runs were killed.

    Where nothing was left, that is seen by a look into two folders. What another run is at
    work on is left to it.
    """
    private_folder.sweep()
    project_lock.sweep()
