"""From what botocore raises to one sentence, a next step and a cause: one table, read top down.

A row is what has to hold, the cause's code, its sentence and its hint; the first one that holds is
told. Classes are those of botocore.exceptions, codes those of "Common errors" in the CodeArtifact,
STS and IAM API references. Imported only after something failed.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import Any

import botocore
import botocore.exceptions
import botocore.session

from codeartifact_pipenv.aws import origin as aws_origin
from codeartifact_pipenv.aws.origin import (
    CALL,
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    LOGIN,
    PROCESS,
    ROLE,
    SSO,
    WEB,
    AwsSettings,
    quote,
)
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.findings import Finding, failure
from codeartifact_pipenv.terminal.install_hint import install_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.credentials import ReadOnlyCredentials

    from codeartifact_pipenv.endpoint import Domain

    _Rows = Iterator[tuple[object, str, str, str]]

# How long a credential process may take: some wait until their user has answered them.
PROCESS_SECONDS = 300
_LISTING = {"DescribeRepository", "ListPackages", "ListPackageVersions"}
_SERVICES = {
    ROLE: "AWS STS",
    WEB: "AWS STS",
    SSO: "the portal of AWS SSO",
    LOGIN: "AWS sign-in",
}
# Which setting an exception of botocore's is about.
_SETTINGS = {
    "InvalidDefaultsMode": "defaults_mode",
    "InvalidIMDSEndpointError": "ec2_metadata_service_endpoint",
    "InvalidIMDSEndpointModeError": "ec2_metadata_service_endpoint_mode",
    "InvalidMaxRetryAttemptsError": "max_attempts",
    "InvalidRetryModeError": "retry_mode",
    "InvalidSTSRegionalEndpointsConfigError": "sts_regional_endpoints",
}
# What Python raises where the text of others is not what it should be.
_GARBLED = ("ArithmeticError", "AttributeError", "LookupError", "TypeError", "ValueError")
_TRY_AGAIN = "Try again; if it stays, "
_HEALTH = "see the AWS Health Dashboard"


class _Case:
    """A failure, with all that the table asks about it; arguments as for ``explain``."""

    def __init__(
        self,
        error: BaseException,
        domain: Domain,
        profile: str | None,
        repository: str | None,
        *,
        token: bool,
    ) -> None:
        said = getattr(error, "kwargs", None)
        self.error = error
        self.said: dict[str, Any] = said if isinstance(said, dict) else {}
        self.domain = domain
        self.profile = profile
        self.repository = repository
        self.token = token
        self.origin = aws_origin.find_origin(error)
        self.source = self.origin.source
        self.functions = self.origin.functions
        self.settings = AwsSettings(profile)
        self.config = self.settings.config
        self.who = f" with profile {profile}" if profile else ""
        self.option = f" --profile {profile}" if profile else ""
        self.log_in = f"Run `{self.settings.login}` and try again."
        reasons = (
            each.strerror for each in (error, error.__context__) if isinstance(each, OSError)
        )
        reason = next(reasons, None)
        self.because = f": {reason}" if reason else ""

    def is_a(self, *kinds: str) -> bool:
        """Whether the error is of one of some classes; older botocores lack some of them."""
        return any(kind.__name__ in kinds for kind in type(self.error).__mro__)

    @property
    def text(self) -> str:
        """What the error says; what others raise may quote keys, a header or a whole answer."""
        if self.is_a("UnknownServiceError"):
            return f"it does not know the service {self.said.get('service_name')}"
        if self.is_a("BotoCoreError"):
            return quote(str(self.error)) or type(self.error).__name__
        reason = getattr(self.error, "strerror", None)
        return str(reason or type(self.error).__name__)

    @property
    def output(self) -> str:
        """What a source of credentials said, without what botocore says before it."""
        return quote(re.sub(r"^.*metadata: ", "", str(self.said.get("error_msg", ""))))

    @property
    def wanted(self) -> str:
        """What AWS was asked for."""
        if self.repository:
            return f"the packages of repository {self.repository} of {self.domain}"
        if self.token:
            return f"a token of {self.domain}"
        return str(self.domain) if self.domain.name else "the caller's account"

    @property
    def has_no_expiry(self) -> bool:
        """Whether the time at which credentials end was not a time."""
        return self.is_a("ValueError", "TypeError", "AttributeError") and (
            self.source == ENVIRONMENT
            or not {"_expiry_datetime", "_parse_if_needed"}.isdisjoint(self.functions)
        )


def explain(
    error: BaseException,
    domain: Domain,
    profile: str | None,
    *,
    repository: str | None = None,
    token: bool = False,
    profile_from: str | None = None,
) -> Finding:
    """Say why asking AWS failed, and what to do.

    Args:
        error: what asking AWS may raise (``aws.ASKING_FAILS``).
        domain: what it was asked about.
        profile: the profile that was asked for; None where the environment decides.
        repository: the repository whose packages were asked for; None for another question.
        token: whether a token was wanted, so that a ready one would help.
        profile_from: what named the profile; None where that is not known.
    """
    profile = profile or aws_origin.profile_in_environment()
    case = _Case(error, domain, profile, repository, token=token)
    if isinstance(error, botocore.exceptions.ClientError):
        rows = _answers(case, error)
    else:
        rows = _failures(case, profile_from or aws_origin.profile_origin(profile))
    return next(failure(code, "AWS", said, hint) for holds, code, said, hint in rows if holds)


def _failures(case: _Case, profile_from: str) -> _Rows:
    yield from _files(case, profile_from)
    yield from _network(case)
    yield from _library(case)
    yield from _logins(case)
    if case.source in _SOURCES:
        yield from _SOURCES[case.source](case)
    yield from _others(case)


def _files(case: _Case, profile_from: str) -> _Rows:
    """Say what is wrong with AWS's files and variables, as botocore reads them."""
    who, settings = case.who, case.settings
    has_none, no_profile = case.is_a("NoCredentialsError"), case.is_a("ProfileNotFound")
    or_token = ", or hand over a ready token in CODEARTIFACT_AUTH_TOKEN" if case.token else ""
    yield (
        has_none and settings.lacks,
        "partial-credentials",
        f"No AWS credentials were found{who}: {settings.lacks}.",
        "Set what is missing, or remove the rest.",
    )
    yield (
        has_none and settings.unread,
        "no-credentials",
        f"No AWS credentials were found{who}: {settings.unread}.",
        f"Correct that{or_token}.",
    )
    disabled = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    aside = " (AWS_EC2_METADATA_DISABLED keeps an instance's out)" if disabled else ""
    yield (
        has_none,
        "no-credentials",
        f"No AWS credentials were found{who}.",
        f"Configure some (`aws configure{case.option}`, or `aws configure sso{case.option}`), or "
        "name a profile that has some (--ca-profile, AWS_PROFILE); in CI give the job a role"
        f"{aside}{or_token}.",
    )
    in_environment = case.source == ENVIRONMENT
    yield (
        in_environment and case.has_no_expiry,
        "keys-malformed",
        "AWS_CREDENTIAL_EXPIRATION is not a time.",
        "Unset it, or set it to a time such as 2030-01-31T12:00:00Z.",
    )
    missing = case.said.get("cred_var", "")
    yield (
        case.is_a("PartialCredentialsError"),
        "partial-credentials",
        f"The AWS credentials{' in the environment' if in_environment else who} are incomplete: "
        f"{missing} is not set.",
        f"Set {missing}, or unset the other variables of these credentials."
        if in_environment
        else f"Add {missing} to the profile in {settings.credentials} or {case.config}, or remove "
        "the rest.",
    )
    profile = case.profile or "default"
    yield (
        no_profile and not case.said.get("profile"),
        "unknown-profile",
        f"{profile_from} is set to nothing, and AWS takes that for a profile without a name.",
        f"Unset {profile_from}, or set it to one of `aws configure list-profiles`.",
    )
    yield (
        no_profile and settings.misnamed,
        "unknown-profile",
        f"There is no AWS profile named {profile}: {case.config} has a section [{profile}], and "
        f"its name must be [profile {profile}].",
        "Rename the section.",
    )
    yield (
        no_profile,
        "unknown-profile",
        f"There is no AWS profile named {profile}"
        f"{f': {settings.unread}' if settings.unread else ''}.",
        f"{'Correct that' if settings.unread else 'See `aws configure list-profiles`'}; the name "
        f"comes from {profile_from}.",
    )
    yield (
        case.is_a("ConfigParseError")
        or (case.is_a("UnicodeError") and "raw_config_parse" in case.functions[-2:]),
        "aws-config",
        f"The AWS configuration file {case.said.get('path') or case.origin.values.get('path')} "
        f"cannot be read: {aws_origin.parse_trouble(case.error)}.",
        "Correct the file; `aws configure list` shows what the AWS CLI makes of it.",
    )
    yield (
        case.is_a("InvalidConfigError") and case.source == WEB,
        "aws-config",
        f"{settings.identity[0]} is set, and the role to assume with it is not.",
        "Set AWS_ROLE_ARN, or role_arn in the profile.",
    )
    logical = case.origin.setting or _SETTINGS.get(type(case.error).__name__, "")
    setting = aws_origin.setting_names(logical)
    yield (
        case.is_a(*_SETTINGS) or (case.is_a("ValueError", "TypeError") and case.origin.setting),
        "aws-config",
        f"{setting} has a value that AWS's library does not accept.",
        f"Correct {setting}, or remove it.",
    )


def _network(case: _Case) -> _Rows:
    """Say what is wrong on the way to AWS."""
    service, inner = _service(case), case.said.get("error")
    malformed = inner if case.is_a("HTTPClientError") and isinstance(inner, ValueError) else None
    called = aws_origin.functions_of(malformed) if malformed else set()
    bundle_setting, bundle = case.settings.bundle
    yield (
        (case.is_a("SSLError") or "_setup_ssl_cert" in case.functions)
        and bundle
        and not os.path.exists(bundle),
        "ca-bundle-missing",
        f"{bundle_setting} names a CA bundle that does not exist: {bundle}.",
        f"Correct or unset {bundle_setting}.",
    )
    yield (
        case.is_a("SSLError"),
        "tls-untrusted",
        f"The TLS certificate of {service} is not trusted here: {case.text}.",
        f"Look at {bundle}, which {bundle_setting} names: it must hold the authority's certificate "
        "as PEM; or remove that setting."
        if bundle
        else "Behind a proxy of your company, name its CA bundle in AWS_CA_BUNDLE.",
    )
    proxies = aws_origin.proxy_variables()
    yield (
        called & {"_get_connection_manager", "_get_proxy_manager", "proxy_url_for"},
        "proxy-invalid",
        f"{proxies} does not hold the address of a proxy.",
        f"Set {proxies} to http://HOST:PORT, or unset it.",
    )
    yield (
        case.is_a("ProxyConnectionError"),
        "proxy-down",
        f"The proxy for {service} is not reached: {case.text}.",
        f"Check {proxies} and NO_PROXY.",
    )
    yield (
        (case.is_a("UnicodeEncodeError") and case.source == CALL)
        or isinstance(malformed, UnicodeEncodeError)
        or called & {"putheader", "putrequest"},
        "keys-malformed",
        f"The AWS credentials{case.who} hold a blank, a line break or a letter that keys do not "
        "have.",
        case.settings.rewriting,
    )
    setting = aws_origin.endpoint_setting()
    yield (
        (malformed and case.source != CONTAINER)
        or (case.is_a("ValueError") and "create_endpoint" in case.functions[-2:])
        or (case.is_a("ValueError") and "port" in aws_origin.functions_of(case.error))
        or (case.is_a("EndpointResolutionError") and "ustom endpoint" in str(case.error)),
        "aws-config",
        f"{setting} is not the address of a service: it must be a URL such as https://HOST.",
        f"Correct {setting}, or remove it.",
    )
    is_lost = case.is_a("ConnectionError", "HTTPClientError")
    region = case.domain.region
    yield (
        is_lost and case.source == CALL and not has_codeartifact(region),
        "region-unsupported",
        f"AWS has no CodeArtifact in {region}, as far as this version of botocore knows, and its "
        "address is not reached.",
        "Check the region in the URL of the source.",
    )
    found = re.search(r"timeout=([\d.]+)", str(inner))
    seconds = f" within {float(found[1]):g} seconds" if found else ""
    in_ci = (
        "; in CI without AWS, hand over a token in CODEARTIFACT_AUTH_TOKEN" if case.token else ""
    )
    yield (
        case.is_a("ConnectTimeoutError"),
        "unreachable",
        f"{service} is not reached: no connection{seconds}.",
        f"Check the network and the proxy, or try again{in_ci}.",
    )
    yield (
        case.is_a("ReadTimeoutError"),
        "unreachable",
        f"{service} is slow: it takes the connection, and does not answer{seconds}.",
        f"{_TRY_AGAIN}{_HEALTH} and what stands between here and AWS, such as a proxy{in_ci}.",
    )
    is_aws = service.startswith("AWS ")
    and_region = f", and {'that CodeArtifact exists in this region' if is_aws else setting}"
    yield (
        is_lost and case.source not in {CONTAINER, INSTANCE},
        "unreachable",
        f"{service} is not reached: {case.text}.",
        f"Check the network and the proxy{and_region if case.source == CALL else ''}{in_ci}.",
    )


def _library(case: _Case) -> _Rows:
    """Say what AWS's library lacks, or does not accept."""
    yield (
        case.is_a("NoRegionError"),
        "aws-config",
        f"{_service(case)} is to be asked for the AWS credentials{case.who}, and no region is set "
        "for it.",
        f"Set region in the profile in {case.config}, or AWS_DEFAULT_REGION.",
    )
    yield (
        case.is_a(
            "BaseEndpointResolverError",
            "ConfigNotFound",
            "EndpointProviderError",
            "InvalidConfigError",
            "InvalidProxiesConfigError",
            "InvalidRegionError",
            "InvalidRetryConfigurationError",
        ),
        "aws-config",
        f"The AWS configuration{case.who} is not right: {case.text}.",
        f"Correct it: {case.config}, or variables whose names begin with AWS_.",
    )
    data_path = aws_origin.setting_names("data_path")
    yield (
        case.is_a("DataNotFoundError", "ImportError"),
        "botocore-incomplete",
        f"AWS's library botocore {botocore.__version__} lacks what it needs to ask AWS: "
        f"{case.text}.",
        "Upgrade or reinstall botocore in the environment of codeartifact-pipenv"
        f"{f', and check {data_path}' if 'AWS_DATA_PATH' in os.environ else ''}.",
    )


def _logins(case: _Case) -> _Rows:
    """Say which login or second factor is missing."""
    who = case.who
    is_incomplete = case.is_a("SSOTokenLoadError")
    yield (
        is_incomplete and "does not exist" in str(case.error),
        "sso-never",
        f"The AWS SSO login{who} was never made on this machine.",
        case.log_in,
    )
    yield (
        is_incomplete or (case.source == SSO and case.is_a(*_GARBLED, "OSError")),
        "sso-broken",
        f"The AWS SSO login{who} that is kept in ~/.aws/sso/cache cannot be read"
        f"{': it is incomplete' if is_incomplete else case.because}.",
        f"Remove the files in ~/.aws/sso/cache, then run `{case.settings.login}`.",
    )
    yield (
        case.is_a("UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"),
        "sso-expired",
        f"The AWS SSO login{who} has expired.",
        case.log_in,
    )
    yield (
        case.is_a("LoginInsufficientPermissions"),
        "login-denied",
        f"The session of `aws login`{who} may not be renewed: the permission "
        "signin:CreateOAuth2Token is missing.",
        "Ask for signin:CreateOAuth2Token in your identity's policy.",
    )
    yield (
        case.is_a("LoginRefreshRequired", "LoginTokenLoadError", "LoginError")
        or (case.source == LOGIN and case.is_a(*_GARBLED, "OSError")),
        "login-expired",
        f"The session of `aws login`{who} has expired, was never made or cannot be read.",
        case.log_in,
    )
    yield (
        case.is_a("MissingDependencyException"),
        "login-library",
        f"This kind of AWS login needs a library that is not installed: {case.text}.",
        f"Run `{install_command('login')}`.",
    )
    yield (
        case.is_a("RefreshWithMFAUnsupportedError"),
        "mfa-required",
        f"The AWS session{who} has ended and its second factor must be given again.",
        "Run the command again.",
    )
    yield (
        case.is_a("EOFError", "GetPassWarning"),
        "mfa-required",
        f"AWS asks for a second factor{who}, and there is no terminal to type it on.",
        "Run an `aws` command with this profile in a terminal first, such as "
        "`aws sts get-caller-identity`; its session is used for as long as it lives.",
    )


def _process(case: _Case) -> _Rows:
    who, program = case.who, case.settings.program_of(case.origin)
    run_it = (
        "Run it by hand: it must print JSON with Version 1, AccessKeyId and SecretAccessKey; it is "
        f"credential_process in {case.config}."
    )
    yield (
        "compat_shell_split" in case.functions,
        "credentials-source",
        f"credential_process{who} has a quotation mark that is not closed.",
        f"Correct it in {case.config}.",
    )
    yield (
        case.is_a("CredentialRetrievalError")
        or (
            getattr(case.origin.values.get("p"), "returncode", None)
            and not case.is_a("TimeoutExpired")
        ),
        "credentials-source",
        f"The AWS credentials{who} could not be retrieved: the credential process {program} "
        f"failed{f': {case.output}' if case.output else ' and did not say why'}.",
        run_it,
    )
    yield (
        case.is_a("OSError"),
        "credentials-source",
        f"The credential process {program}{who} cannot be run{case.because}.",
        f"Correct credential_process in {case.config}: the program's full path, without `~` or "
        "variables.",
    )
    what = (
        f"has not ended within {PROCESS_SECONDS} seconds"
        if case.is_a("TimeoutExpired")
        else "printed an Expiration that is not a time such as 2030-01-31T12:00:00Z"
        if case.has_no_expiry
        else "printed nothing"
        if getattr(case.error, "doc", None) == ""
        else "printed something that is not JSON with keys in it"
    )
    yield (
        case.is_a("TimeoutExpired", *_GARBLED),
        "credentials-source",
        f"The credential process {program}{who} {what}.",
        run_it,
    )


def _web_identity(case: _Case) -> _Rows:
    setting, named = case.settings.identity
    opened = getattr(case.error, "filename", None) or case.origin.values.get("token_path")
    what = (
        "does not exist"
        if case.is_a("FileNotFoundError")
        else "is empty, or too short for a token"
        if case.is_a("ParamValidationError") and "WebIdentityToken" in str(case.error)
        else f"cannot be read{case.because}"
        if case.is_a("OSError")
        else "does not hold a token"
        if case.is_a("ValueError")
        else ""
    )
    yield (
        what,
        "web-identity-missing",
        f"The web identity token file {opened or named} {what}.",
        f"Check {setting}; in GitHub Actions give the job "
        "`permissions: id-token: write` and use aws-actions/configure-aws-credentials.",
    )


def _container(case: _Case) -> _Rows:
    variable = case.settings.container_variable
    token, innermost = "AWS_CONTAINER_AUTHORIZATION_TOKEN", case.functions[-1:]
    file = f"{token}_FILE"
    yield (
        innermost == ("_validate_auth_token",),
        "credentials-source",
        f"{file if file in os.environ else token} holds a line break, which a request cannot carry.",
        "Write it without a line break at its end.",
    )
    yield (
        case.is_a("OSError"),
        "credentials-source",
        f"The file {getattr(case.error, 'filename', None)} that {file} names cannot be "
        f"read{case.because}.",
        f"Correct or unset {file}.",
    )
    yield (
        case.is_a("HTTPClientError")
        or innermost == ("_validate_allowed_url",)
        or "urlparse" in case.functions,
        "credentials-source",
        f"{variable} is not an address from which AWS's library takes credentials.",
        f"Correct or unset {variable}: https, or a loopback or container address.",
    )
    yield (
        case.is_a("CredentialRetrievalError", *_GARBLED),
        "credentials-source",
        f"What {variable} leads to does not answer with credentials"
        f"{f': {case.output}' if case.output else ''}.",
        f"Check {variable}, or unset it; inside `docker build` a container's role is out of reach, "
        "so hand over a token in CODEARTIFACT_AUTH_TOKEN there.",
    )


def _instance(case: _Case) -> _Rows:
    yield (
        True,
        "credentials-source",
        f"The instance metadata service (IMDS) did not give usable credentials: {case.text}.",
        "Check the role of the instance; AWS_EC2_METADATA_DISABLED=true leaves it aside.",
    )


_SOURCES: dict[str, Callable[[_Case], _Rows]] = {
    PROCESS: _process,
    WEB: _web_identity,
    CONTAINER: _container,
    INSTANCE: _instance,
}


def _others(case: _Case) -> _Rows:
    """Say what is left: whatever a source of credentials or a call raises, in any version."""
    who = case.who
    report = quote(str(case.said.get("report", "")))
    is_role = case.source == WEB and "AWS_ROLE_ARN" in os.environ
    yield (
        case.is_a("ParamValidationError") and case.source in _SERVICES,
        "aws-config",
        f"The AWS configuration{who} is not right: {report}.",
        f"Correct role_arn and what stands beside it in {case.config}"
        f"{' or AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME' if is_role else ''}.",
    )
    yield (
        # botocore has no class of its own for it
        case.is_a("RuntimeError") and case.functions[-1:] == ("_protected_refresh",),
        "keys-expired",
        f"The AWS credentials{who} have expired.",
        case.settings.renewal,
    )
    works = f"Check that `aws sts get-caller-identity{case.option}` works in this shell"
    yield (
        case.source != CALL or case.is_a("CredentialRetrievalError", "MetadataRetrievalError"),
        "credentials-source",
        f"The AWS credentials{who} could not be retrieved: {case.text}.",
        f"{works}; their source is set in {case.config}.",
    )
    yield (
        case.is_a("ResponseParserError", *_GARBLED) or case.origin.was_parsing,
        "service-fault",
        f"AWS's answer to the request for {case.wanted} is broken off or garbled.",
        f"{_TRY_AGAIN}look at what stands between here and AWS, such as a proxy.",
    )
    yield (
        case.is_a("ParamValidationError"),
        "aws-invalid",
        f"AWS's library does not accept the request for {case.wanted}: {report}.",
        "Check the names and values that were given.",
    )
    yield (
        True,
        "service-fault",
        f"AWS could not be asked for {case.wanted}: {case.text}.",
        f"{works}.",
    )


def _answers(case: _Case, error: botocore.exceptions.ClientError) -> _Rows:
    """Say what AWS's answer means: about who asks, a token, a repository, anything else."""
    who, domain, operation = case.who, case.domain, str(error.operation_name)
    answer = error.response.get("Error", {})
    code, whole = str(answer.get("Code", "")), " ".join(str(answer.get("Message", "")).split())
    first = whole.partition(". ")[0].rstrip(".")  # general advice follows it
    message = f"{first}." if first else ""
    yield (
        "Signature expired" in whole or "Signature not yet current" in whole,
        "clock-wrong",
        f"The clock of this machine is wrong by more than 5 minutes; AWS says: {message}",
        "Set the clock (a virtual machine that was asleep needs its time synchronised).",
    )
    is_expired = code in {"ExpiredTokenException", "ExpiredToken"}
    setting, identity = case.settings.identity
    yield (
        operation == "AssumeRoleWithWebIdentity"
        and (
            is_expired
            or code in {"InvalidIdentityToken", "IDPRejectedClaim", "IDPCommunicationError"}
        ),
        "web-identity-refused",
        f"AWS does not accept the web identity token in {identity}: {message}",
        f"Have it made again: it comes from {setting}, and lives for minutes.",
    )
    yield (
        is_expired,
        "keys-expired",
        f"The AWS credentials{who} have expired.",
        case.settings.renewal,
    )
    yield (
        code
        in {
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
        },
        "keys-wrong",
        f"AWS does not accept the credentials{who}: {message}",
        "Check the access key and its secret, and that the clock of this machine is right.",
    )
    # What botocore calls to get credentials.
    yield (
        operation == "GetRoleCredentials",
        "sso-denied",
        f"AWS SSO gives no credentials{who}: {message}",
        f"Run `{case.settings.login}`; if it stays, check the account and role of the profile.",
    )
    refused = f"AWS refused {operation}{who} ({code}): {message}"
    yield (
        operation in {"AssumeRole", "AssumeRoleWithWebIdentity"},
        "assume-role-denied",
        refused,
        "Check the role, its trust policy and the identity that assumes it.",
    )
    yield (
        operation in {"CreateToken", "CreateOAuth2Token"},
        "login-denied",
        refused,
        case.log_in,
    )
    is_token = operation == "GetAuthorizationToken"
    is_listing = operation in _LISTING and case.repository is not None
    is_denied = code in {"AccessDeniedException", "AccessDenied"}  # the second is IAM's
    is_missing = code in {"ResourceNotFoundException", "NoSuchEntity"}
    is_bearer = "GetServiceBearerToken" in whole
    yield (
        is_token and (is_bearer or is_denied),
        "bearer-denied" if is_bearer else "token-denied",
        f"AWS denies a token for {domain}: {message}",
        "Ask for codeartifact:GetAuthorizationToken on the domain and sts:GetServiceBearerToken on "
        "* in your identity's policy.",
    )
    yield (
        is_token and is_missing,
        "domain-missing",
        f"There is no CodeArtifact domain {domain}: {message}",
        "Check domain, account and region in the URL of the source.",
    )
    yield (
        is_listing and is_denied,
        "list-denied",
        f"AWS denies {operation} for repository {case.repository} of {domain}: {message}",
        f"Ask for codeartifact:{operation} in your identity's policy; the read-only policy "
        "AWSCodeArtifactReadOnlyAccess has it.",
    )
    yield (
        is_listing and is_missing,
        "repository-missing",
        f"AWS does not find repository {case.repository} of {domain}: {message}",
        "Check domain, account, region and repository in the URL.",
    )
    limited = (
        "many tokens may be asked for at once" if is_token else f"fast {operation} may be called"
    )
    spare = "; a shared token in CODEARTIFACT_AUTH_TOKEN spares the calls" if is_token else ""
    yield (
        code in {"ThrottlingException", "TooManyRequestsException", "Throttling"},
        "throttled",
        f"AWS limits how {limited}, also after several tries.",
        f"Try again in a moment{spare}.",
    )
    asked = re.search(r"not authorized to perform: (\S+)(?: on resource: (\S+))?", whole)
    action, resource = asked.groups() if asked else (operation, None)
    yield (
        is_denied,
        "operation-denied",
        f"AWS denies {action}{f' on {resource}' if resource else ''}{who}.",
        f"Ask for {action}; or print the policy, without --create, and hand it to somebody who may "
        "create it."
        if code == "AccessDenied"
        else f"Ask for {action} in your identity's policy: `pipenv-ca provision policy admin "
        f"--domain {domain.name} --repository NAME` prints one for CodeArtifact. In another "
        "account's domain that domain's policy must allow it, too.",
    )
    yield (
        code in {"ServiceQuotaExceededException", "LimitExceeded"},
        "quota-exceeded",
        f"AWS refuses {operation}, because a quota is used up: {message}",
        "Delete unused resources or request a quota increase (Service Quotas in the AWS console).",
    )
    yield (
        code in {"ConflictException", "EntityAlreadyExists"},
        "aws-conflict",
        f"AWS refuses {operation}, because something else exists or has changed meanwhile: "
        f"{message}",
        "Run the command again; it starts from the present state.",
    )
    yield (
        is_missing,
        "aws-missing",
        f"AWS does not find what {operation} is about: {message}",
        "Check the names, the account and the region.",
    )
    yield (
        error.response.get("reason") == "ENCRYPTION_KEY_ERROR",
        "key-unusable",
        f"AWS cannot use the KMS key: {message}",
        "It must be a symmetric key of this region that is not in an external key store; your "
        "identity needs kms:DescribeKey and kms:CreateGrant on it.",
    )
    yield (
        code
        in {"ValidationException", "ValidationError", "MalformedPolicyDocument", "InvalidInput"},
        "aws-invalid",
        f"AWS does not accept {operation} for {case.wanted}: {message}",
        "Check the URL of the source and the --ca-duration setting."
        if is_token
        else "Check the names and values that were given.",
    )
    yield (
        True,
        "service-fault",
        f"AWS answered {operation} with {code}: {message}",
        f"{_TRY_AGAIN}{_HEALTH}.",
    )


def _service(case: _Case) -> str:
    """Name what was called: not every call goes to CodeArtifact."""
    url = str(case.said.get("endpoint_url", ""))
    host = urllib.parse.urlsplit(url).hostname if "://" in url and "[" not in url else None
    region = re.search(r"\.([a-z]{2,}(?:-[a-z]+)+-\d)\.", host or "")
    named = _SERVICES.get(case.source)
    if named is None and host and "codeartifact" not in host:
        return host
    return (named or "AWS CodeArtifact") + (f" in {region[1]}" if region else "")


# What a key cannot hold, and how it is told.
_NOT_IN_KEYS = {
    r"[\r\n]": "has a line break in it",
    r"^[\"']": "stands in quotation marks",
    r"\s": "has a blank in it",
    r"[^!-~]": "has a letter that keys do not have",
}


def malformed_keys(
    keys: ReadOnlyCredentials, profile: str | None, *, given: bool
) -> TokenError | None:
    """Return the error for keys that hold what keys cannot hold; None where they do not.

    Such keys break a header, or are refused as if they were wrong.

    Args:
        keys: the keys.
        profile: the profile that was asked for; None where the environment decides.
        given: whether they are not of a profile or the environment, but were given to us.
    """
    profile = profile or aws_origin.profile_in_environment()
    who = f" with profile {profile}" if profile else ""
    for name, value in (
        ("access key id", keys.access_key),
        ("secret access key", keys.secret_key),
        ("session token", keys.token),
    ):
        for what, trouble in _NOT_IN_KEYS.items():
            if re.search(what, str(value or "")):
                return TokenError(
                    f"The {name} of the AWS credentials{who} {trouble}.",
                    "Correct them." if given else AwsSettings(profile).rewriting,
                    "keys-malformed",
                )
    return None


def has_codeartifact(region: str) -> bool:
    """Whether the installed botocore knows CodeArtifact in a region.

    It may be older than a region: use this to explain a failure, never to refuse a region.
    """
    known: list[str] = botocore.session.Session().get_available_regions("codeartifact")
    return region in known
