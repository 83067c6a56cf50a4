"""The operations that the sandbox knows, by their names in the service model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api import domains, groups, packages, policies, repositories, tags
from codeartifact_pipenv.sandbox.api.authorization import get_authorization_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document

_MODULES = (domains, groups, packages, policies, repositories, tags)

OPERATIONS: dict[str, Callable[[Call], Document]] = {
    "GetAuthorizationToken": get_authorization_token
}
for _module in _MODULES:
    for _function in _module.OPERATIONS:
        _name = re.sub("(?:^|_)([a-z])", lambda match: match[1].upper(), _function.__name__)
        OPERATIONS[_name] = _function
