"""pipenv, pip and every keyring client on AWS CodeArtifact.

Other programs may use these names; they change only in a major version:

- ``endpoint``: ``parse_url`` and ``parse_host`` return a ``RepositoryEndpoint``, or None for
  any other address.
- ``auth.resolver``: ``resolver_from_environment(Report()).token(endpoint)`` returns an
  ``AuthorizationToken``, from the environment, the cache or AWS.
- ``auth.backend``: ``CodeArtifactBackend``, which keyring finds through its entry point.
- ``sandbox.sandbox``: ``Sandbox``, with ``sandbox.behaviour``; and the pytest fixtures
  ``codeartifact_sandbox``, ``codeartifact_environ`` and ``codeartifact_behaviour``.
- ``sandbox.wheels``: ``make_wheel`` and ``make_sdist``, for small packages to test with.
- the command line, its exit codes, the codes of causes and findings, and every ``--json``.
"""

__version__ = "2.0.0"
