"""Operations on the tags of domains and repositories, which are named by their ARNs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.api.errors import invalid
from codeartifact_pipenv.sandbox.permissions import tag_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document
    from codeartifact_pipenv.sandbox.repository import DomainRecord, Repository

_ARN = re.compile(
    r"arn:aws:codeartifact:(?P<region>[^:]*):(?P<owner>[^:]*):"
    r"(?:domain/(?P<alone>[^/]+)|repository/(?P<domain>[^/]+)/(?P<repository>[^/]+))"
)


def tag_resource(call: Call) -> Document:
    """Add tags; one of the same key gets the new value."""
    tags = call.tags()
    _find(call, "codeartifact:TagResource", tag_keys(tags)).tags.update(tags)
    return {}


def untag_resource(call: Call) -> Document:
    """Take tags away; a key that is not there is no error."""
    keys = call.body.get("tagKeys")
    if not isinstance(keys, list):
        raise invalid("tagKeys is not a list.")
    found = _find(call, "codeartifact:UntagResource", {"aws:tagkeys": tuple(map(str, keys))})
    for key in keys:
        found.tags.pop(str(key), None)
    return {}


def list_tags_for_resource(call: Call) -> Document:
    """List the tags."""
    tags = _find(call, "codeartifact:ListTagsForResource", {}).tags
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}


def _find(
    call: Call, action: str, keys: Mapping[str, tuple[str, ...]]
) -> DomainRecord | Repository:
    arn = call.parameter("resourceArn")
    match = _ARN.fullmatch(arn)
    if match is None or match["region"] != call.region:
        raise invalid(f"There is no resource '{arn}' to be tagged here.")
    domain = Domain(match["alone"] or match["domain"], match["owner"], call.region)
    call.authorize(action, arn, domain=domain, repository=match["repository"], keys=keys)
    if match["repository"]:
        return call.require_repository(domain, match["repository"])
    return call.require_domain(domain)
