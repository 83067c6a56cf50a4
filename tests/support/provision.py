"""An account in which the tests provision, with the command in this process."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from support.sandbox import client, enter

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.provision import cli
from codeartifact_pipenv.provision.aws import Aws
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

OWNER, OTHER = "123456789012", "210987654321"
ACME = ("--domain", "acme", "--repository", "team")
READS = ("Describe", "Get", "List")


@contextmanager
def open_account(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *packages: Path,
    **options: Any,
) -> Iterator[Account]:
    """Put this process into a new sandbox and its region."""
    with Sandbox(packages, **options) as running:
        enter(running, monkeypatch)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        account = Account(running, capsys)
        yield account
        account.aws.close()


def intercept(monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None]) -> None:
    """Call a function with the name of each operation before provisioning calls AWS."""
    original = Aws.call

    def call(aws: Aws, service: str, operation: str, **parameters: Any) -> Any:
        before(operation)
        return original(aws, service, operation, **parameters)

    monkeypatch.setattr(Aws, "call", call)


class Account:
    """A user who provisions in an account."""

    def __init__(self, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = sandbox
        self._capsys = capsys
        self.aws = client()

    def says(self, *words: str, status: int = 0) -> str:
        """Run the verb; return its output, with errors as the entry point reports them."""
        self._capsys.readouterr()
        report = Report()
        try:
            found = cli.main(words, Settings({}, os.environ), report)
        except CodeArtifactPipenvError as error:
            report.error(error.sentence, error.hint, error.code)
            found = error.exit_code
        said = self._capsys.readouterr()
        assert found == status, said
        return said.out + said.err

    def json(self, *words: str) -> Any:
        """Run the verb with ``--json``; return what it printed."""
        self._capsys.readouterr()
        assert cli.main([*words, "--json"], Settings({}, os.environ), Report()) in {0, 1}
        return json.loads(self._capsys.readouterr().out)

    def make_repository(self, name: str, *above: str) -> None:
        """Make a repository with upstreams or an external connection, without our program."""
        where = {"domain": "acme", "repository": name}
        upstreams = [{"repositoryName": each} for each in above if ":" not in each]
        self.aws.create_repository(**where, upstreams=upstreams)
        for each in above:
            if ":" in each:
                self.aws.associate_external_connection(**where, externalConnection=each)

    def put_statements(self, *statements: Any) -> None:
        """Replace the policy of the team's repository."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        where = {"domain": "acme", "repository": "team"}
        self.aws.put_repository_permissions_policy(**where, policyDocument=document)

    def repositories(self) -> dict[str, tuple[list[str], list[str]]]:
        """Return upstreams and external connections of the domain's repositories by name."""
        described = {}
        for row in self.aws.list_repositories_in_domain(domain="acme")["repositories"]:
            where = {"domain": "acme", "repository": row["name"]}
            found = self.aws.describe_repository(**where)["repository"]
            described[row["name"]] = (
                [each["repositoryName"] for each in found["upstreams"]],
                [each["externalConnectionName"] for each in found["externalConnections"]],
            )
        return described

    def statements(self, repository: str | None = "team") -> list[Any]:
        """Return the statements of a repository's policy, or of the domain's for None."""
        kind, where = "domain", {"domain": "acme"}
        if repository is not None:
            kind, where = "repository", {**where, "repository": repository}
        answer = getattr(self.aws, f"get_{kind}_permissions_policy")(**where)
        return list(json.loads(answer["policy"]["document"])["Statement"])

    def writes(self) -> list[str]:
        """Return the operations so far that change something."""
        return [
            each.name
            for each in self.sandbox.requests
            if each.name and not each.name.startswith(READS) and each.status < 400
        ]
