"""The names that other programs may build on exist, with their parameters."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

import pytest

from codeartifact_pipenv import __version__

# Module, name and parameters, or the name of an attribute. What is here is changed in a major
# version only; what is added is added here.
API = """
endpoint:Domain(name, owner, region)
endpoint:RepositoryEndpoint(domain, repository, kind, host)
endpoint:RepositoryEndpoint.url
endpoint:RepositoryEndpoint.simple_url
endpoint:parse_host(host)
endpoint:parse_url(url)
auth.authorization_token:AuthorizationToken(value, source, issued_at, expires_at)
auth.authorization_token:AuthorizationToken.from_text(value, source)
auth.authorization_token:AuthorizationToken.has_expired(self, now)
auth.authorization_token:AuthorizationToken.is_fresh(self, now)
auth.resolver:resolver_from_environment(report)
auth.resolver:Resolver.token(self, endpoint, variables)
auth.backend:CodeArtifactBackend()
auth.backend:CodeArtifactBackend.get_password(self, service, username)
auth.backend:CodeArtifactBackend.get_credential(self, service, username)
auth.backend:CodeArtifactBackend.set_password(self, service, username, password)
auth.backend:CodeArtifactBackend.delete_password(self, service, username)
report:Report(verbose, tells_progress, speaker)
errors:CodeArtifactPipenvError(sentence, hint, code)
errors:ConfigurationError(sentence, hint, code)
errors:TokenError(sentence, hint, code)
sandbox.sandbox:Sandbox(packages, domain, owner, region, repository, upstream, public, serve_public, behaviour, base)
sandbox.sandbox:Sandbox.environ(self, base)
sandbox.sandbox:Sandbox.close(self)
sandbox.sandbox:Sandbox.user
sandbox.sandbox:Sandbox.administrator(self, account)
sandbox.sandbox:Sandbox.aws_config
sandbox.sandbox:Sandbox.add_repository(self, repository, domain, owner, region, upstream, upstreams)
sandbox.sandbox:Sandbox.remove_repository(self, endpoint)
sandbox.sandbox:Sandbox.publish(self, path, endpoint)
sandbox.sandbox:Sandbox.is_published(self, name)
sandbox.sandbox:Sandbox.set_origin(self, name, publish, upstream, endpoint)
sandbox.sandbox:Sandbox.set_public(self, name, version, yanked, uploaded)
sandbox.sandbox:Sandbox.deny(self, action, endpoint)
sandbox.sandbox:Sandbox.allow(self, action, endpoint)
sandbox.sandbox:Sandbox.throttle(self, calls, retry_after)
sandbox.sandbox:Sandbox.fault(self, status, times, on, name)
sandbox.sandbox:Sandbox.delay(self, seconds, times, on, name)
sandbox.sandbox:Sandbox.latency(self, seconds)
sandbox.sandbox:Sandbox.bandwidth(self, bytes_per_second)
sandbox.sandbox:Sandbox.reset(self, after, times, on, name)
sandbox.sandbox:Sandbox.truncate(self, after, times, on, name)
sandbox.sandbox:Sandbox.corrupt(self, at, times, on, name)
sandbox.sandbox:Sandbox.limit_rate(self, calls, times, name)
sandbox.sandbox:Sandbox.limit_reads(self, reads, times)
sandbox.sandbox:Sandbox.heal(self)
sandbox.sandbox:Sandbox.revoke_tokens(self)
sandbox.sandbox:Sandbox.token_life
sandbox.sandbox:Sandbox.maximum_duration
sandbox.sandbox:Sandbox.clock_offset
sandbox.sandbox:Sandbox.requests
sandbox.sandbox:Sandbox.token_id(token)
sandbox.sandbox:Sandbox.count(self, name)
sandbox.wheels:make_wheel(folder, name, version, requires, requires_python, modules)
sandbox.wheels:make_sdist(folder, name, version, requires, build_requires, requires_python, modules)
sandbox.pytest_plugin:codeartifact_behaviour
sandbox.pytest_plugin:codeartifact_sandbox
sandbox.pytest_plugin:codeartifact_environ
"""


@pytest.mark.parametrize("line", API.split("\n")[1:-1])
def test_public_name_has_its_parameters_and_a_docstring(line: str) -> None:
    module, _, name = line.partition(":")
    name, opening, parameters = name.removesuffix(")").partition("(")
    found: Any = import_module(f"codeartifact_pipenv.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    if opening:
        assert ", ".join(inspect.signature(found).parameters) == parameters
    assert inspect.getdoc(found)


def test_version_is_one_of_semantic_versioning() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
