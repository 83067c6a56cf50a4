"""Support for the tests of provisioning: an empty account, and the command in this process."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from support.sandbox import client, enter

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.provision import cli
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    import pytest

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

OWNER, OTHER = "123456789012", "210987654321"
ACME = ("--domain", "acme", "--repository", "team")
READS = ("Describe", "Get", "List")


def enter_account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put this very process into a sandbox, in its region."""
    enter(sandbox, monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


class Account:
    """Somebody who provisions in an account."""

    def __init__(self, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = sandbox
        self._capsys = capsys
        self.aws = client()

    def provision(self, *words: str) -> tuple[int, str]:
        """Run the verb; return its exit status and what it said.

        An error is told as the entry point tells it.
        """
        self._capsys.readouterr()
        report = Report()
        try:
            status = cli.main(words, Settings({}, os.environ), report)
        except CodeArtifactPipenvError as error:
            report.error(error.sentence, error.hint, error.code)
            status = error.exit_code
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def json(self, *words: str) -> Any:
        """Run the verb with ``--json``; return what it printed."""
        self._capsys.readouterr()
        assert cli.main([*words, "--json"], Settings({}, os.environ), Report()) in {0, 1}
        return json.loads(self._capsys.readouterr().out)

    def make_repository(
        self, name: str, *upstreams: str, connection: str = "", description: str = ""
    ) -> None:
        """Make a repository in the domain as somebody else would."""
        self.aws.create_repository(
            domain="acme",
            repository=name,
            description=description,
            upstreams=[{"repositoryName": each} for each in upstreams],
        )
        if connection:
            self.aws.associate_external_connection(
                domain="acme", repository=name, externalConnection=connection
            )

    def repository(self, name: str) -> tuple[list[str], list[str]]:
        """Return a repository's upstreams and external connections."""
        found = self.aws.describe_repository(domain="acme", repository=name)["repository"]
        return (
            [each["repositoryName"] for each in found["upstreams"]],
            [each["externalConnectionName"] for each in found["externalConnections"]],
        )

    def repositories(self) -> dict[str, tuple[list[str], list[str]]]:
        """Return the domain's repositories by name."""
        found = self.aws.list_repositories_in_domain(domain="acme")["repositories"]
        return {each["name"]: self.repository(each["name"]) for each in found}

    def statements(self, repository: str | None = "team") -> list[Any]:
        """Return the statements of a repository's policy, or of the domain's for None."""
        if repository is None:
            answer = self.aws.get_domain_permissions_policy(domain="acme")
        else:
            answer = self.aws.get_repository_permissions_policy(
                domain="acme", repository=repository
            )
        return list(json.loads(answer["policy"]["document"])["Statement"])

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a domain or a repository."""
        found = self.aws.list_tags_for_resource(resourceArn=arn)["tags"]
        return {each["key"]: each["value"] for each in found}

    def writes(self) -> list[str]:
        """Return the operations so far that change something."""
        return [
            each.name
            for each in self.sandbox.requests
            if each.name and not each.name.startswith(READS) and each.status < 400
        ]
