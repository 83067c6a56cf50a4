"""The sandbox: a context manager with the environment for clients."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from datetime import timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from packaging.utils import InvalidName, canonicalize_name

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint, parse_url
from codeartifact_pipenv.sandbox.api.call import Call
from codeartifact_pipenv.sandbox.api.errors import ServiceError
from codeartifact_pipenv.sandbox.api.packages import put_package_origin_configuration
from codeartifact_pipenv.sandbox.api.repositories import (
    associate_external_connection,
    create_repository,
    delete_repository,
)
from codeartifact_pipenv.sandbox.app import Application
from codeartifact_pipenv.sandbox.assets import Assets
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.clock import iso_time
from codeartifact_pipenv.sandbox.distributions import canonical, collect
from codeartifact_pipenv.sandbox.environment import (
    AWS_CONFIG,
    AWS_CREDENTIALS,
    CA_FILE,
    Proxies,
    child_environment,
    trusted_certificates,
)
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError
from codeartifact_pipenv.sandbox.fault_injection import FaultInjection
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.identity import Identities
from codeartifact_pipenv.sandbox.index import PackageIndex
from codeartifact_pipenv.sandbox.proxy import CertificateAuthority, ProxyServer
from codeartifact_pipenv.sandbox.public_host import PublicHost
from codeartifact_pipenv.sandbox.repository import PUBLIC_INDEX
from codeartifact_pipenv.sandbox.state import State
from codeartifact_pipenv.sandbox.tokens import token_id
from codeartifact_pipenv.sandbox.uploads import keep
from codeartifact_pipenv.sandbox.upstream import (
    MachinePublicIndex,
    PublicFolder,
    PublicIndex,
    ReleaseOverride,
    UpstreamError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from typing_extensions import Self

    from codeartifact_pipenv.sandbox.signature import Principal
    from codeartifact_pipenv.sandbox.state import RequestRecord


_T = TypeVar("_T")
_BUILDS, _FETCHED, _PUBLISHED = "builds", "fetched", "published"
DOMAIN, OWNER, REGION, REPOSITORY = "demo", "123456789012", "us-east-1", "pypi-store"


class _RunningSandbox(NamedTuple):
    server: ProxyServer
    folder: Path
    upstream: PublicIndex


class Sandbox(FaultInjection):
    """An AWS CodeArtifact on loopback; it runs inside a ``with`` block.

    Args:
        packages: wheels, sdists, projects, or folders of these, to publish in the default
            repository.
        domain: the default repository's domain.
        owner: the account that owns the domain and the sandbox's user.
        region: the AWS region.
        repository: the default repository's name.
        upstream: whether the default repository is connected to the machine's public index.
        public: a folder of wheels and sdists that replaces the machine's public index; later
            changes to the folder are ignored.
        serve_public: whether the sandbox serves the public index as ``https://pypi.org``; by
            default only if ``public`` is given.
        behaviour: the choice for details that AWS does not document.
        base: the environment with proxy, certificate and pip settings; by default that of
            this process.

    Raises:
        SandboxError: a name is invalid or, on entering, a package.
    """

    def __init__(
        self,
        packages: Iterable[Path] = (),
        *,
        domain: str = DOMAIN,
        owner: str = OWNER,
        region: str = REGION,
        repository: str = REPOSITORY,
        upstream: bool = True,
        public: Path | None = None,
        serve_public: bool | None = None,
        behaviour: Behaviour | None = None,
        base: Mapping[str, str] | None = None,
    ) -> None:
        self._packages = [Path(folder) for folder in packages]
        self._public = None if public is None else Path(public)
        self._serve_public = public is not None if serve_public is None else serve_public
        self._domain = Domain(domain, owner, region)
        self._base = dict(os.environ if base is None else base)
        self._state = State(owner, behaviour or Behaviour())
        self._identities = Identities(self._state)
        self._stack = ExitStack()
        self._run: _RunningSandbox | None = None
        self.endpoint: RepositoryEndpoint = self.add_repository(repository, upstream=upstream)

    def __enter__(self) -> Self:
        """Start serving."""
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop serving and remove the run's folder."""
        self.close()

    def close(self) -> None:
        """Stop serving and remove the run's folder; may be called again."""
        self._run = None
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="codeartifact-sandbox-"))
        )
        for name in (_BUILDS, _FETCHED, _PUBLISHED):
            (folder / name).mkdir()
        authority, proxies = CertificateAuthority(), Proxies(self._base)
        certificates = f"{trusted_certificates(self._base)}\n{authority.certificate}"
        (folder / CA_FILE).write_text(certificates)
        for name in (AWS_CONFIG, AWS_CREDENTIALS):
            (folder / name).touch(0o600)
        upstream = self._public_index(folder, proxies, stack)
        assets = Assets(self._state.clock, self._state.faults, upstream)
        index = PackageIndex(self._state, upstream, assets, folder / _PUBLISHED)
        public = PublicHost(self._state.faults, upstream, assets)
        application = Application(self._state, self._identities, index, assets, public)
        server = ProxyServer(
            application, authority, proxies, self._state, serve_public=self._serve_public
        )
        stack.callback(server.close)
        stack.callback(self._state.faults.end)
        self._run = _RunningSandbox(server, folder, upstream)
        for packages in self._packages:
            for path in collect(packages, folder / _BUILDS, self._base):
                self.publish(path)
        server.start()

    def _public_index(self, folder: Path, proxies: Proxies, stack: ExitStack) -> PublicIndex:
        if self._public is not None:
            return PublicFolder(self._public, folder / _FETCHED)
        upstream = MachinePublicIndex(self._base, proxies, folder / CA_FILE, folder / _FETCHED)
        stack.callback(upstream.close)
        return upstream

    @property
    def _running(self) -> _RunningSandbox:
        if self._run is None:
            raise SandboxError("The sandbox is not running.", "Use it in a with statement.")
        return self._run

    def environ(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a copy of an environment in which every client uses the sandbox.

        Args:
            base: the environment to copy; by default the one that the sandbox was made with.
        """
        start = self._base if base is None else base
        return child_environment(start, self._running.server.url, self._running.folder, self.user)

    @property
    def user(self) -> Principal:
        """The sandbox's IAM user, with its access key."""
        return self._identities.user

    def administrator(self, account: str) -> Principal:
        """Return a user of an account, with an access key; :attr:`user` for the sandbox's account.

        Use it to create users, roles and domains in that account.
        """
        return self._identities.administrator(account)

    @property
    def aws_config(self) -> Path:
        """The AWS configuration file that clients read; it is empty, and tests may write to it."""
        return self._running.folder / AWS_CONFIG

    def add_repository(
        self,
        repository: str,
        *,
        domain: str | None = None,
        owner: str | None = None,
        region: str | None = None,
        upstream: bool = False,
        upstreams: Sequence[str] = (),
    ) -> RepositoryEndpoint:
        """Create a repository; ``domain``, ``owner`` and ``region`` default to those of the sandbox.

        Args:
            repository: its name.
            domain: its domain's name.
            owner: the account that owns the domain.
            region: the AWS region.
            upstream: whether it has the external connection ``public:pypi`` to the machine's
                public index.
            upstreams: names of repositories of the same domain, in search order.

        Raises:
            SandboxError: the repository exists, a name is invalid, or an upstream does not
                exist.
        """
        default = self._domain
        where = Domain(domain or default.name, owner or default.owner, region or default.region)
        wanted = endpoint_for(where, repository)
        if upstream and upstreams:
            raise SandboxUsageError(
                f"{repository} cannot have both upstreams and an external connection.",
                "Choose one of them.",
            )
        if parse_url(wanted.url) != wanted:
            raise SandboxUsageError(
                f"{repository} in {where} cannot be a CodeArtifact repository.",
                "Use 2-50 characters of a-z, 0-9 and - for a domain, 12 digits for an owner, and 2-100"
                " letters, digits and . _ - for a repository, beginning with a letter or digit.",
            )
        self._state.add_domain(where)
        rows = [{"repositoryName": name} for name in upstreams]
        self._call(create_repository, wanted, upstreams=rows)
        if upstream:
            self._call(associate_external_connection, wanted, externalConnection=PUBLIC_INDEX)
        return wanted

    def remove_repository(self, endpoint: RepositoryEndpoint) -> None:
        """Remove a repository and its packages.

        Raises:
            SandboxError: the repository does not exist.
        """
        self._call(delete_repository, endpoint)

    def publish(self, path: Path, endpoint: RepositoryEndpoint | None = None) -> None:
        """Publish a wheel or an sdist, by default in the default repository.

        Origin controls are ignored.

        Raises:
            SandboxError: the file is not a package, the repository does not exist, or it has a
                different file of that name.
        """
        repository = self._call(Call.repository, endpoint)
        try:
            # Store a copy, because the user's file may change later.
            file = keep(
                path.name, self._running.folder / _PUBLISHED, partial(shutil.copyfile, path)
            )
        except OSError as error:
            raise SandboxUsageError(
                f"{path} cannot be read: {error.strerror}.", "Name a wheel or an sdist."
            ) from error
        if not self._state.publish(repository, file):
            raise SandboxError(
                f"{path.name} was already published with other content.", "Change its version."
            )

    def set_public(
        self,
        name: str,
        version: str,
        *,
        yanked: str | None = None,
        uploaded: datetime | None = None,
    ) -> None:
        """Yank a release of the public index, or set its upload time.

        A later call for the same release replaces an earlier one.

        Args:
            name: the package's name.
            version: the release's version.
            yanked: the reason, perhaps empty; None keeps the index's value.
            uploaded: the aware upload time; None keeps the index's value.

        Raises:
            SandboxError: the public index does not answer, or the release does not exist.
        """
        project, number = canonical((name, version))
        index = self._running.upstream
        try:
            files = index.files(project)
        except UpstreamError as error:
            raise SandboxError(str(error), "Check that pip can reach it.") from error
        if not any(file.version == number for file in files):
            raise SandboxUsageError(
                f"The public index has no {name} {version}.", "Name an existing release."
            )
        moment = None if uploaded is None else iso_time(uploaded.astimezone(timezone.utc))
        index.describe(project, number, ReleaseOverride(yanked, moment))

    def is_published(self, name: str) -> bool:
        """Return whether a package, by normalised name, was published in the default repository."""
        repository = self._state.repository(*self.endpoint[:2])
        package = None if repository is None else repository.packages.get(name)
        versions = () if package is None else package.versions.values()
        return any(version.entry == self.endpoint.repository for version in versions)

    def set_origin(
        self,
        name: str,
        *,
        publish: str = "ALLOW",
        upstream: str = "ALLOW",
        endpoint: RepositoryEndpoint | None = None,
    ) -> None:
        """Set a package's origin controls, each ``ALLOW`` or ``BLOCK``.

        Args:
            name: the package's name; it may have no version yet.
            publish: whether versions may be uploaded.
            upstream: whether versions may come from upstreams and external connections.
            endpoint: the repository; by default the default repository.

        Raises:
            SandboxError: the repository does not exist, or a control or the name is invalid.
        """
        if not {publish, upstream} <= {"ALLOW", "BLOCK"}:
            raise SandboxUsageError(
                f"Invalid origin controls {publish} and {upstream}.", "Choose ALLOW or BLOCK."
            )
        try:
            normalised = canonicalize_name(name, validate=True)
        except InvalidName as error:
            raise SandboxUsageError(
                f"{name!r} is not a valid package name.", "Use letters, digits and . _ - only."
            ) from error
        self._call(
            put_package_origin_configuration,
            endpoint,
            format="pypi",
            package=normalised,
            restrictions={"publish": publish, "upstream": upstream},
        )

    def _call(
        self, operation: Callable[[Call], _T], endpoint: RepositoryEndpoint | None, **given: object
    ) -> _T:
        domain, repository = (endpoint or self.endpoint)[:2]
        where = {"domain": domain.name, "domainOwner": domain.owner, "repository": repository}
        try:
            with self._state.lock:
                return operation(Call(self._state, where | given, self.user, domain.region))
        except ServiceError as error:
            raise SandboxUsageError(
                f"{error.message.rstrip('.')}.", "Change the call; CodeArtifact refuses it too."
            ) from error

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, oldest first.

        A record contains the id of a token (:meth:`token_id`), never the token.
        """
        return list(self._state.records)

    @staticmethod
    def token_id(token: str) -> str:
        """Return the eight-character id of a token in :attr:`requests`."""
        return token_id(token)

    def count(self, name: str) -> int:
        """Return the number of requests for an AWS operation or a package's normalised name."""
        return sum(record.name == name for record in self.requests)
