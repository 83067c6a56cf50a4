"""The operations that the sandbox knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api import (
    authorization,
    domains,
    groups,
    packages,
    policies,
    repositories,
    tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import OperationModel

    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document

_MODULES = (authorization, domains, groups, packages, policies, repositories, tags)


def find_handler(operation: OperationModel) -> Callable[[Call], Document] | None:
    """Return the function that plays an operation: it is named as boto3's method is."""
    from botocore import xform_name

    name = xform_name(operation.name)
    return next((getattr(each, name) for each in _MODULES if hasattr(each, name)), None)
