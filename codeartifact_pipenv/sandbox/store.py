"""A sandbox's state in a folder, so that the next run goes on where this one ended.

``state.json`` is replaced whole before an answer goes out that tells of a change, so that a
killed run loses nothing that a client was told of. What IAM holds is kept as the list of what
was done to it, which the next run does again. Sessions of roles are not kept.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.files.lock import acquire
from codeartifact_pipenv.sandbox.accounts import Change
from codeartifact_pipenv.sandbox.actor import Actor
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.package import File, Package, Restrictions, Version
from codeartifact_pipenv.sandbox.repository import DomainRecord, Policy, Repository
from codeartifact_pipenv.sandbox.tokens import Issued

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.identity import Identities
    from codeartifact_pipenv.sandbox.state import State

_VERSION = 1
_FILE, _LOCK = "state.json", "in-use.lock"


class Store:
    """The folder of one sandbox's state, for as long as a run has it.

    Args:
        folder: made if missing, for its user alone.

    Raises:
        SandboxError: another run has it, or it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = acquire(str(folder / _LOCK))
        except OSError as error:
            raise SandboxError(
                f"{folder} cannot hold a sandbox's state: {error.strerror or error}.",
                "Name another folder.",
            ) from error
        if self._lock is None and os.name != "nt":
            raise SandboxError(
                f"Another sandbox has its state in {folder}.", "Stop it, or name another folder."
            )
        self._written: str | None = None

    def close(self) -> None:
        """Leave the folder to the next run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self, state: State, identities: Identities) -> None:
        """Fill a new state with what the last run left; nothing where there was none.

        Raises:
            SandboxError: what is there is none of ours, another account's or a newer version's.
        """
        path = self.folder / _FILE
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        try:
            document = json.loads(text)
            if document["version"] != _VERSION:
                raise self._unreadable(f"it is of version {document['version']}")
            if document["account"] != state.account:
                raise self._unreadable(f"it is of account {document['account']}")
            domains = [self._domain(entry) for entry in document["domains"]]
            user = Actor(identities.user.account, identities.user.arn)
            tokens = {key: _issued(entry, user) for key, entry in document["tokens"].items()}
            changes = [Change(*entry) for entry in document.get("iam", [])]
            identities.restore(**document["user"])
            identities.changes = changes
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._unreadable(str(error)) from error
        with state.lock:
            state.domains = {record.domain: record for record in domains}
        state.tokens.restore(tokens)
        self._written = text

    def save(self, state: State, identities: Identities) -> None:
        """Write the state, if it has changed.

        Raises:
            OSError: it cannot be written.
        """
        with state.lock:
            document = {
                "version": _VERSION,
                "account": state.account,
                "user": {
                    "access_key_id": identities.user.access_key_id,
                    "secret_access_key": identities.user.secret_access_key,
                },
                "iam": [list(change) for change in identities.changes],
                "domains": [self._as_plain(record) for record in state.domains.values()],
                "tokens": {key: list(issued) for key, issued in state.tokens.snapshot().items()},
            }
            text = json.dumps(document, indent=1)
            if text == self._written:
                return
            part = self.folder / f"{_FILE}.part"
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.folder / _FILE)
            self._written = text

    def _unreadable(self, why: str) -> SandboxError:
        return SandboxError(
            f"{self.folder / _FILE} cannot be used: {why}.",
            "Name another folder, or move that file away to begin anew.",
        )

    def _as_plain(self, record: DomainRecord) -> dict[str, Any]:
        return {
            "domain": list(record.domain),
            "created_at": record.created_at,
            "encryption_key": record.encryption_key,
            "policy": record.policy,
            "tags": record.tags,
            "repositories": [self._repository(r) for r in record.repositories.values()],
        }

    def _repository(self, repository: Repository) -> dict[str, Any]:
        packages = {
            name: {
                "restrictions": list(package.restrictions),
                "versions": {
                    number: {
                        "entry": version.entry,
                        "added_at": version.added_at,
                        "files": [self._file(file) for file in version.files.values()],
                    }
                    for number, version in package.versions.items()
                },
            }
            for name, package in repository.packages.items()
        }
        names = ("name", "administrator", "created_at", "description", "upstreams")
        plain = {name: getattr(repository, name) for name in names}
        return plain | {
            "external_connection": repository.external_connection,
            "policy": repository.policy,
            "tags": repository.tags,
            "packages": packages,
        }

    def _file(self, file: File) -> dict[str, Any]:
        path = file.path
        if path is not None and path.is_relative_to(self.folder):
            path = path.relative_to(self.folder)
        return asdict(file) | {"path": None if path is None else str(path)}

    def _domain(self, entry: dict[str, Any]) -> DomainRecord:
        domain = Domain(*entry["domain"])
        record = DomainRecord(domain, entry["created_at"], entry["encryption_key"])
        record.policy = _policy(entry["policy"])
        record.tags = dict(entry.get("tags", {}))  # a state of before had none
        for given in entry["repositories"]:
            repository = Repository(
                domain,
                given["name"],
                given["administrator"],
                given["created_at"],
                given["description"],
                list(given["upstreams"]),
                given["external_connection"],
                policy=_policy(given["policy"]),
                tags=dict(given.get("tags", {})),
            )
            for name, package in given["packages"].items():
                kept = Package(Restrictions(*package["restrictions"]))
                for number, version in package["versions"].items():
                    files = [self._restored(file) for file in version["files"]]
                    kept.versions[number] = Version(
                        version["entry"],
                        version["added_at"],
                        {file.filename: file for file in files},
                    )
                repository.packages[name] = kept
            record.repositories[repository.name] = repository
        return record

    def _restored(self, entry: dict[str, Any]) -> File:
        known = {field.name: entry[field.name] for field in fields(File)}
        path = known["path"]
        return File(**known | {"path": None if path is None else self.folder / path})


def _policy(entry: list[str] | None) -> Policy | None:
    return None if entry is None else Policy(*entry)


def _issued(entry: list[Any], owner: Actor) -> Issued:
    token_id, domain, expires_at, access_key_id, *kept = entry
    # States of before actors were kept: policies did not count then.
    actor = Actor.restore(kept[0]) if kept else owner
    return Issued(token_id, Domain(*domain), expires_at, access_key_id, actor)
