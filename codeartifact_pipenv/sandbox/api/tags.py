"""Operations on tags of domains, repositories and package groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.api.errors import invalid
from codeartifact_pipenv.sandbox.api.groups import find_group

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document

_ARN = re.compile(
    r"arn:aws:codeartifact:(?P<region>[^:]*):(?P<owner>[^:]*):"
    r"(?P<kind>domain|repository|package-group)/(?P<domain>[^/]+)(?P<rest>/.+)?"
)


def tag_resource(call: Call) -> Document:
    """Add tags or replace their values."""
    _tags(call).update(call.tags())
    return {}


def untag_resource(call: Call) -> Document:
    """Remove tags; a missing key is not an error."""
    tags = _tags(call)
    for key in call.given["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags_for_resource(call: Call) -> Document:
    """List the tags."""
    return {"tags": [{"key": key, "value": value} for key, value in _tags(call).items()]}


def _tags(call: Call) -> dict[str, str]:
    match = _ARN.fullmatch(call.given["resourceArn"])
    if match is None or match["region"] != call.region:
        raise invalid(f"The resource '{call.given['resourceArn']}' was not found.")
    domain = Domain(match["domain"], match["owner"], call.region)
    record = call.domain_record(domain)
    if match["kind"] == "domain":
        return record.tags
    if match["kind"] == "package-group":
        return find_group(record, match["rest"] or "").tags
    return call.repository((match["rest"] or "").lstrip("/"), domain).tags
