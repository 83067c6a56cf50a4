"""Operations on package groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.sandbox.api.errors import conflict, invalid, not_found
from codeartifact_pipenv.sandbox.groups import (
    RESTRICTIONS,
    ROOT,
    Group,
    group_of,
    is_pattern,
    parent_of,
    source_of,
)
from codeartifact_pipenv.sandbox.hosts import group_arn

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document
    from codeartifact_pipenv.sandbox.repository import DomainRecord

_SPECIFIC = "ALLOW_SPECIFIC_REPOSITORIES"


def create_package_group(call: Call) -> Document:
    """Create a group that inherits all restrictions."""
    record, pattern = call.domain_record(), call.given["packageGroup"]
    if not is_pattern(pattern):
        raise invalid(f"'{pattern}' is not a valid package group pattern.")
    if pattern in record.groups:
        raise conflict(f"Package group '{pattern}' already exists.", pattern, "package-group")
    group = Group(pattern, call.state.clock.time(), tags=call.tags())
    record.groups[pattern] = group
    return _edit(call, record, group)


def describe_package_group(call: Call) -> Document:
    """Describe a group."""
    record = call.domain_record()
    return {"packageGroup": _describe(record, _asked(call, record))}


def update_package_group(call: Call) -> Document:
    """Replace a group's contact information and description, if sent."""
    record = call.domain_record()
    return _edit(call, record, _asked(call, record))


def update_package_group_origin_configuration(call: Call) -> Document:
    """Set a group's restrictions and their allowed repositories."""
    record = call.domain_record()
    group = _asked(call, record)
    modes = {**group.modes, **call.get("restrictions", {})}
    if group.pattern == ROOT and "INHERIT" in modes.values():
        raise invalid("The root package group has no parent to inherit from.")
    added = _named(call, "addAllowedRepositories", modes)
    removed = _named(call, "removeAllowedRepositories", modes)
    for _, name in added:
        call.repository(name)
    group.modes = modes
    updates: dict[str, dict[str, list[str]]] = {}
    for kind, rows in (("ADDED", added), ("REMOVED", removed)):
        for restriction, name in rows:
            allowed = group.allowed[restriction]
            (allowed.add if kind == "ADDED" else allowed.discard)(name)
            updates.setdefault(restriction, {}).setdefault(kind, []).append(name)
    return {"packageGroup": _describe(record, group), "allowedRepositoryUpdates": updates}


def delete_package_group(call: Call) -> Document:
    """Delete a group; its children get its parent."""
    record = call.domain_record()
    group = _asked(call, record)
    if group.pattern == ROOT:
        raise invalid("The root package group cannot be deleted.")
    described = _describe(record, group)
    del record.groups[group.pattern]
    return {"packageGroup": described}


def list_package_groups(call: Call) -> Document:
    """List a domain's groups by pattern."""
    record = call.domain_record()
    prefix = call.get("prefix", "")
    found = [one for pattern, one in sorted(record.groups.items()) if pattern.startswith(prefix)]
    rows, more = call.page(found)
    return {"packageGroups": [_describe(record, group) for group in rows], **more}


def get_associated_package_group(call: Call) -> Document:
    """Return the group of a package, which may not exist."""
    record = call.domain_record()
    path = f"/{call.given['format']}/{call.get('namespace', '')}/{call.given['package']}"
    group = group_of(record.groups, path)
    return {"packageGroup": _describe(record, group), "associationType": "STRONG"}


def list_associated_packages(call: Call) -> Document:
    """List the packages of a group."""
    record = call.domain_record()
    group = _asked(call, record)
    names = {name for repository in record.repositories.values() for name in repository.packages}
    found = [name for name in names if group_of(record.groups, f"/pypi//{name}") is group]
    rows, more = call.page(sorted(found))
    listed = [{"format": "pypi", "package": name, "associationType": "STRONG"} for name in rows]
    return {"packages": listed, **more}


def find_group(record: DomainRecord, pattern: str) -> Group:
    """Return a domain's package group.

    Raises:
        ServiceError: the group does not exist.
    """
    if pattern not in record.groups:
        raise not_found(
            f"Package group '{pattern}' does not exist in domain '{record.domain.name}'.",
            pattern,
            "package-group",
        )
    return record.groups[pattern]


def _asked(call: Call, record: DomainRecord) -> Group:
    return find_group(record, call.given["packageGroup"])


def _edit(call: Call, record: DomainRecord, group: Group) -> Document:
    group.contact = call.get("contactInfo", group.contact)
    group.description = call.get("description", group.description)
    return {"packageGroup": _describe(record, group)}


def _named(call: Call, member: str, modes: dict[str, str]) -> list[tuple[str, str]]:
    rows = [(one["originRestrictionType"], one["repositoryName"]) for one in call.get(member, [])]
    if any(modes[restriction] != _SPECIFIC for restriction, _ in rows):
        raise invalid(f"Only restrictions of mode {_SPECIFIC} have allowed repositories.")
    return rows


def _describe(record: DomainRecord, group: Group) -> Document:
    parent = parent_of(record.groups, group)
    return {
        **_refer(record, group),
        "domainName": record.domain.name,
        "domainOwner": record.domain.owner,
        "createdTime": group.created_at,
        "contactInfo": group.contact,
        "description": group.description,
        "originConfiguration": {
            "restrictions": {each: _restriction(record, group, each) for each in RESTRICTIONS}
        },
        "parent": None if parent is None else _refer(record, parent),
    }


def _refer(record: DomainRecord, group: Group) -> dict[str, Any]:
    return {"arn": group_arn(record.domain, group.pattern), "pattern": group.pattern}


def _restriction(record: DomainRecord, group: Group, restriction: str) -> Document:
    source = source_of(record.groups, group, restriction)
    mode = source.modes[restriction]
    return {
        "mode": group.modes[restriction],
        "effectiveMode": mode,
        "inheritedFrom": None if source is group else _refer(record, source),
        "repositoriesCount": len(source.allowed[restriction]) if mode == _SPECIFIC else None,
    }
