"""The names that other programs may build on exist, with their parameters."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

import pytest

from codeartifact_pipenv import __version__

# By module: each name with its parameters, or with the names of its attributes. What is here is
# changed in a major version only; what is added is added here.
API: dict[str, dict[str, str | None]] = {
    "endpoint": {
        "Domain": "name, owner, region",
        "RepositoryEndpoint": "domain, repository, kind, host",
        "RepositoryEndpoint.url": None,
        "RepositoryEndpoint.simple_url": None,
        "parse_host": "host",
        "parse_url": "url",
    },
    "auth.authorization_token": {
        "AuthorizationToken": "value, source, issued_at, expires_at",
        "AuthorizationToken.from_text": "value, source",
        "AuthorizationToken.has_expired": "self, now",
        "AuthorizationToken.is_fresh": "self, now",
    },
    "auth.resolver": {
        "resolver_from_environment": "report",
        "Resolver.token": "self, endpoint, variables",
    },
    "auth.backend": {
        "CodeArtifactBackend": "",
        "CodeArtifactBackend.get_password": "self, service, username",
        "CodeArtifactBackend.get_credential": "self, service, username",
        "CodeArtifactBackend.set_password": "self, service, username, password",
        "CodeArtifactBackend.delete_password": "self, service, username",
    },
    "report": {"Report": "verbose, tells_progress, speaker"},
    "errors": {
        "CodeArtifactPipenvError": "sentence, hint, code",
        "ConfigurationError": "sentence, hint, code",
        "TokenError": "sentence, hint, code",
    },
    "sandbox.sandbox": {
        "Sandbox": "packages, domain, owner, region, repository, upstream, public, serve_public, behaviour, base",
        "Sandbox.environ": "self, base",
        "Sandbox.close": "self",
        "Sandbox.user": None,
        "Sandbox.administrator": "self, account",
        "Sandbox.aws_config": None,
        "Sandbox.add_repository": "self, repository, domain, owner, region, upstream, upstreams",
        "Sandbox.remove_repository": "self, endpoint",
        "Sandbox.publish": "self, path, endpoint",
        "Sandbox.is_published": "self, name",
        "Sandbox.set_origin": "self, name, publish, upstream, endpoint",
        "Sandbox.set_public": "self, name, version, yanked, uploaded",
        "Sandbox.deny": "self, action, endpoint",
        "Sandbox.allow": "self, action, endpoint",
        "Sandbox.throttle": "self, calls, retry_after",
        "Sandbox.fault": "self, status, times, on, name",
        "Sandbox.delay": "self, seconds, times, on, name",
        "Sandbox.latency": "self, seconds",
        "Sandbox.bandwidth": "self, bytes_per_second",
        "Sandbox.reset": "self, after, times, on, name",
        "Sandbox.truncate": "self, after, times, on, name",
        "Sandbox.corrupt": "self, at, times, on, name",
        "Sandbox.limit_rate": "self, calls, times, name",
        "Sandbox.limit_reads": "self, reads, times",
        "Sandbox.heal": "self",
        "Sandbox.revoke_tokens": "self",
        "Sandbox.token_life": None,
        "Sandbox.maximum_duration": None,
        "Sandbox.clock_offset": None,
        "Sandbox.requests": None,
        "Sandbox.token_id": "token",
        "Sandbox.count": "self, name",
    },
    "sandbox.wheels": {
        "make_wheel": "folder, name, version, requires, requires_python, modules",
        "make_sdist": "folder, name, version, requires, build_requires, requires_python, modules",
    },
    "sandbox.pytest_plugin": {
        "codeartifact_behaviour": None,
        "codeartifact_sandbox": None,
        "codeartifact_environ": None,
    },
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in API.items() for name in names]
)
def test_public_name_has_its_parameters_and_a_docstring(module: str, name: str) -> None:
    found: Any = import_module(f"codeartifact_pipenv.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    wanted = API[module][name]
    if wanted is not None:
        assert ", ".join(inspect.signature(found).parameters) == wanted
    assert inspect.getdoc(found)


def test_version_is_one_of_semantic_versioning() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
