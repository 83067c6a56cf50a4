"""From what botocore raises to one sentence, a next step and a cause: one table, read top down.

Classes are those of botocore.exceptions, codes those of "Common errors" in the CodeArtifact, STS
and IAM API references. Imported only after something failed.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import Any, NamedTuple

import botocore
import botocore.exceptions
import botocore.session

from codeartifact_pipenv.auth import aws_origin
from codeartifact_pipenv.auth.aws_origin import (
    CALL,
    CONTAINER,
    ENVIRONMENT,
    FILE,
    INSTANCE,
    LOGIN,
    OTHER,
    PROCESS,
    ROLE,
    SSO,
    WEB,
    Origin,
    Settings,
    quote,
)
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.findings import Finding, failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.credentials import ReadOnlyCredentials

    from codeartifact_pipenv.endpoint import Domain

# How long a credential process may take: some wait until their user has answered them.
PROCESS_SECONDS = 300
_TOKEN = frozenset({"GetAuthorizationToken"})
_LISTING = frozenset({"DescribeRepository", "ListPackages", "ListPackageVersions"})
# What botocore calls to get credentials.
_SSO = frozenset({"GetRoleCredentials"})
_ROLE = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})
_WEB = frozenset({"AssumeRoleWithWebIdentity"})
_LOGIN = frozenset({"CreateToken", "CreateOAuth2Token"})
_SERVICES = {
    ROLE: "AWS STS",
    WEB: "AWS STS",
    SSO: "the portal of AWS SSO",
    LOGIN: "AWS sign-in",
}
_DENIED = ("AccessDeniedException", "AccessDenied")  # the second is IAM's
_THROTTLED = ("ThrottlingException", "TooManyRequestsException", "Throttling")
_MISSING = ("ResourceNotFoundException", "NoSuchEntity")
# Names that are not AWS's own, for what only the message, the place or a setting tells.
_ANY, _CLOCK, _BEARER, _NO_REGION = "any", "clock", "bearer token", "no region"
_HALF, _UNREAD, _UNREAD_PROFILE = "half configured", "unread file", "unread file, profile"
_EMPTY_PROFILE, _MISNAMED = "profile without a name", "section without profile"
_CONFIG_TEXT, _SETTING, _ENDPOINT = "configuration's text", "setting", "endpoint"
_NO_BUNDLE, _PROXY_URL, _HEADER = "no CA bundle", "proxy's URL", "header"
_EXPIRY, _QUOTATION, _NO_OUTPUT = "expiry", "quotation mark", "no output"
_FAILED = "failed process"
_EMPTY_IDENTITY, _LINE_BREAK, _BAD_HOST = "empty identity", "line break", "host"
_NO_LOGIN, _REFRESHED, _NOT_AN_ANSWER = "no login", "refreshed", "not an answer"
# Which setting an exception of botocore's is about.
_SETTINGS = {
    "InvalidDefaultsMode": "defaults_mode",
    "InvalidIMDSEndpointError": "ec2_metadata_service_endpoint",
    "InvalidIMDSEndpointModeError": "ec2_metadata_service_endpoint_mode",
    "InvalidMaxRetryAttemptsError": "max_attempts",
    "InvalidRetryModeError": "retry_mode",
    "InvalidSTSRegionalEndpointsConfigError": "sts_regional_endpoints",
}


class _Cause(NamedTuple):
    """One row of the table.

    Attributes:
        code: the cause's code.
        errors: names of exception classes, codes or reasons of AWS's answers.
        sentence: with the placeholders of ``_texts``.
        hint: likewise.
        operations: the operations of AWS that it is for; None for all.
        sources: the sources of credentials that it is for, CALL among them; None for all.
    """

    code: str
    errors: tuple[str, ...]
    sentence: str
    hint: str
    operations: frozenset[str] | None = None
    sources: frozenset[str] | None = None


def _from(*sources: str) -> frozenset[str]:
    return frozenset(sources)


_CREDENTIALS = _from(ENVIRONMENT, FILE, PROCESS, SSO, LOGIN, ROLE, WEB, CONTAINER, INSTANCE, OTHER)
_RUN_PROCESS = (
    "Run it by hand: it must print JSON with Version 1, AccessKeyId and SecretAccessKey; it is "
    "credential_process in {config_file}."
)
_CHECK_IDENTITY = (
    "Check {identity_setting}; in GitHub Actions give the job `permissions: id-token: write` and "
    "use aws-actions/configure-aws-credentials."
)

_ASK_FOR_BOTH = (
    "Ask for codeartifact:GetAuthorizationToken on the domain and sts:GetServiceBearerToken on "
    "* in your identity's policy."
)
# Subclasses stand before their bases, and what is special before what is general.
_CAUSES = (
    # --- AWS's files and variables, as botocore reads them
    _Cause(
        "partial-credentials",
        (_HALF,),
        "No AWS credentials were found{who}: {lacks}.",
        "Set what is missing, or remove the rest.",
    ),
    _Cause(
        "no-credentials",
        (_UNREAD,),
        "No AWS credentials were found{who}: {unread}.",
        "Correct that{or_token}.",
    ),
    _Cause(
        "no-credentials",
        ("NoCredentialsError",),
        "No AWS credentials were found{who}.",
        "{get_some}{or_token}.",
    ),
    _Cause(
        "keys-malformed",
        (_EXPIRY,),
        "AWS_CREDENTIAL_EXPIRATION is not a time.",
        "Unset it, or set it to a time such as 2030-01-31T12:00:00Z.",
        sources=_from(ENVIRONMENT),
    ),
    _Cause(
        "partial-credentials",
        ("PartialCredentialsError",),
        "The AWS credentials in the environment are incomplete: {missing} is not set.",
        "Set {missing}, or unset the other variables of these credentials.",
        sources=_from(ENVIRONMENT),
    ),
    _Cause(
        "partial-credentials",
        ("PartialCredentialsError",),
        "The AWS credentials{who} are incomplete: {error}.",
        "Add {missing} to the profile in {credentials_file} or {config_file}, or remove the rest.",
    ),
    _Cause(
        "unknown-profile",
        (_EMPTY_PROFILE,),
        "{profile_from} is set to nothing, and AWS takes that for a profile without a name.",
        "Unset {profile_from}, or set it to one of `aws configure list-profiles`.",
    ),
    _Cause(
        "unknown-profile",
        (_MISNAMED,),
        "There is no AWS profile named {profile}: {config_file} has a section [{profile}], and "
        "its name must be [profile {profile}].",
        "Rename the section.",
    ),
    _Cause(
        "unknown-profile",
        (_UNREAD_PROFILE,),
        "There is no AWS profile named {profile}: {unread}.",
        "Correct that; the profile's name comes from {profile_from}.",
    ),
    _Cause(
        "unknown-profile",
        ("ProfileNotFound",),
        "There is no AWS profile named {profile}.",
        "See `aws configure list-profiles`; the name comes from {profile_from}.",
    ),
    _Cause(
        "aws-config",
        ("ConfigParseError", _CONFIG_TEXT),
        "The AWS configuration file {path} cannot be read: {parse_trouble}.",
        "Correct the file; `aws configure list` shows what the AWS CLI makes of it.",
    ),
    _Cause(
        "aws-config",
        ("ConfigNotFound",),
        "The AWS configuration cannot be read: {error}.",
        "Correct the file; `aws configure list` shows what the AWS CLI makes of it.",
    ),
    _Cause(
        "aws-config",
        ("InvalidConfigError",),
        "{identity_setting} is set, and the role to assume with it is not.",
        "Set AWS_ROLE_ARN, or role_arn in the profile.",
        sources=_from(WEB),
    ),
    _Cause(
        "aws-config",
        ("InvalidConfigError",),
        "The AWS configuration{who} is not right: {error}.",
        "Correct it in {config_file}.",
    ),
    _Cause(
        "aws-config",
        (_SETTING,),
        "{setting} has a value that AWS's library does not accept.",
        "Correct {setting}, or remove it.",
    ),
    _Cause(
        "aws-config",
        (_ENDPOINT,),
        "{endpoint_setting} is not the address of a service: it must be a URL such as "
        "https://HOST.",
        "Correct {endpoint_setting}, or remove it.",
    ),
    _Cause(
        "aws-config",
        ("NoRegionError",),
        "{service} is to be asked for the AWS credentials{who}, and no region is set for it.",
        "Set region in the profile in {config_file}, or AWS_DEFAULT_REGION.",
    ),
    _Cause(
        "aws-config",
        (
            "EndpointProviderError",
            "BaseEndpointResolverError",
            "InvalidRegionError",
            "InvalidProxiesConfigError",
            "InvalidRetryConfigurationError",
        ),
        "AWS's library does not accept its settings{who}: {error}.",
        "Correct them: variables whose names begin with AWS_, or {config_file}.",
    ),
    _Cause(
        "botocore-incomplete",
        ("DataNotFoundError", "ImportError"),
        "AWS's library botocore {botocore} lacks what it needs to ask AWS: {error}.",
        "Upgrade or reinstall botocore in the environment of codeartifact-pipenv{data_path}.",
    ),
    # --- the way to AWS
    _Cause(
        "ca-bundle-missing",
        (_NO_BUNDLE,),
        "{bundle_setting} names a CA bundle that does not exist: {bundle}.",
        "Correct or unset {bundle_setting}.",
    ),
    _Cause(
        "tls-untrusted",
        ("SSLError",),
        "The TLS certificate of {service} is not trusted here: {error}.",
        "{bundle_advice}",
    ),
    _Cause(
        "proxy-invalid",
        (_PROXY_URL,),
        "{proxies} does not hold the address of a proxy.",
        "Set {proxies} to http://HOST:PORT, or unset it.",
    ),
    _Cause(
        "proxy-down",
        ("ProxyConnectionError",),
        "The proxy for {service} is not reached: {error}.",
        "Check {proxies} and NO_PROXY.",
    ),
    _Cause(
        "keys-malformed",
        (_HEADER,),
        "The AWS credentials{who} hold a blank, a line break or a letter that keys do not have.",
        "{rewrite_keys}",
    ),
    _Cause(
        "region-unsupported",
        (_NO_REGION,),
        "AWS has no CodeArtifact in {region}, as far as this version of botocore knows, and its "
        "address is not reached.",
        "Check the region in the URL of the source.",
    ),
    _Cause(
        "unreachable",
        ("ConnectTimeoutError",),
        "{service} is not reached: no connection{seconds}.",
        "Check the network and the proxy, or try again{or_ci_token}.",
    ),
    _Cause(
        "unreachable",
        ("ReadTimeoutError",),
        "{service} is slow: it takes the connection, and does not answer{seconds}.",
        "Try again; if it stays, see the AWS Health Dashboard and what stands between here and "
        "AWS, such as a proxy{or_ci_token}.",
    ),
    _Cause(
        "unreachable",
        ("EndpointConnectionError", "ConnectionError", "HTTPClientError"),
        "{service} is not reached: {error}.",
        "Check the network and the proxy{and_region}{or_ci_token}.",
        sources=_from(CALL, ROLE, WEB, SSO, LOGIN, OTHER),
    ),
    # --- the sources of credentials
    _Cause(
        "sso-never",
        (_NO_LOGIN,),
        "The AWS SSO login{who} was never made on this machine.",
        "Run `{login}` and try again.",
    ),
    _Cause(
        "sso-broken",
        ("SSOTokenLoadError",),
        "The AWS SSO login{who} that is kept in ~/.aws/sso/cache cannot be used: it is incomplete.",
        "Run `{login}` and try again.",
    ),
    _Cause(
        "sso-expired",
        ("UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"),
        "The AWS SSO login{who} has expired.",
        "Run `{login}` and try again.",
    ),
    _Cause(
        "sso-broken",
        ("LookupError", "ValueError", "TypeError", "AttributeError", "OSError"),
        "The AWS SSO login{who} that is kept in ~/.aws/sso/cache cannot be read{because}.",
        "Remove the files in ~/.aws/sso/cache, then run `{login}`.",
        sources=_from(SSO),
    ),
    _Cause(
        "login-denied",
        ("LoginInsufficientPermissions",),
        "The session of `aws login`{who} may not be renewed: the permission "
        "signin:CreateOAuth2Token is missing.",
        "Ask for signin:CreateOAuth2Token in your identity's policy.",
    ),
    _Cause(
        "login-expired",
        ("LoginRefreshRequired", "LoginTokenLoadError", "LoginError"),
        "The session of `aws login`{who} has expired or was never made.",
        "Run `{login}` and try again.",
    ),
    _Cause(
        "login-expired",
        ("LookupError", "ValueError", "TypeError", "AttributeError", "OSError"),
        "The session of `aws login`{who} cannot be read{because}.",
        "Run `{login}` and try again.",
        sources=_from(LOGIN),
    ),
    _Cause(
        "login-library",
        ("MissingDependencyException",),
        "This kind of AWS login needs a library that is not installed: {error}.",
        "Install `botocore[crt]` beside codeartifact-pipenv.",
    ),
    _Cause(
        "mfa-required",
        ("RefreshWithMFAUnsupportedError",),
        "The AWS session{who} has ended and its second factor must be given again.",
        "Run the command again.",
    ),
    _Cause(
        "mfa-required",
        ("EOFError", "GetPassWarning"),
        "AWS asks for a second factor{who}, and there is no terminal to type it on.",
        "Run an `aws` command with this profile in a terminal first, such as "
        "`aws sts get-caller-identity`; its session is used for as long as it lives.",
    ),
    _Cause(
        "credentials-source",
        ("TimeoutExpired",),
        "The credential process {program}{who} has not ended within {process_seconds} seconds.",
        _RUN_PROCESS,
        sources=_from(PROCESS),
    ),
    _Cause(
        "credentials-source",
        (_QUOTATION,),
        "credential_process{who} has a quotation mark that is not closed.",
        "Correct it in {config_file}.",
        sources=_from(PROCESS),
    ),
    _Cause(
        "credentials-source",
        ("CredentialRetrievalError", _FAILED),
        "The AWS credentials{who} could not be retrieved: the credential process {program} "
        "failed{said}.",
        _RUN_PROCESS,
        sources=_from(PROCESS),
    ),
    _Cause(
        "credentials-source",
        ("OSError",),
        "The credential process {program}{who} cannot be run{because}.",
        "Correct credential_process in {config_file}: the program's full path, without `~` or "
        "variables.",
        sources=_from(PROCESS),
    ),
    _Cause(
        "credentials-source",
        (_EXPIRY,),
        "The Expiration that the credential process {program}{who} prints is not a time.",
        "It must be one such as 2030-01-31T12:00:00Z; the program is credential_process in "
        "{config_file}.",
        sources=_from(PROCESS),
    ),
    _Cause(
        "credentials-source",
        (_NO_OUTPUT,),
        "The credential process {program}{who} printed nothing.",
        _RUN_PROCESS,
        sources=_from(PROCESS),
    ),
    _Cause(
        "credentials-source",
        ("ValueError", "LookupError", "TypeError", "AttributeError"),
        "What the credential process {program}{who} printed is not JSON with keys in it.",
        _RUN_PROCESS,
        sources=_from(PROCESS),
    ),
    _Cause(
        "web-identity-missing",
        ("FileNotFoundError",),
        "The web identity token file {filename} does not exist.",
        _CHECK_IDENTITY,
        sources=_from(WEB),
    ),
    _Cause(
        "web-identity-missing",
        (_EMPTY_IDENTITY,),
        "The web identity token file {identity_file} is empty, or too short for a token.",
        _CHECK_IDENTITY,
        sources=_from(WEB),
    ),
    _Cause(
        "web-identity-missing",
        ("OSError",),
        "The web identity token file {identity_file} cannot be read{because}.",
        _CHECK_IDENTITY,
        sources=_from(WEB),
    ),
    _Cause(
        "web-identity-missing",
        ("ValueError",),
        "The web identity token file {identity_file} does not hold a token.",
        _CHECK_IDENTITY,
        sources=_from(WEB),
    ),
    _Cause(
        "aws-config",
        ("ParamValidationError",),
        "The AWS configuration{who} is not right: {report}.",
        "Correct role_arn and what stands beside it in {config_file}{role_variables}.",
        sources=_from(ROLE, WEB, SSO, LOGIN),
    ),
    _Cause(
        "credentials-source",
        (_LINE_BREAK,),
        "{container_token} holds a line break, which a request cannot carry.",
        "Write it without a line break at its end.",
        sources=_from(CONTAINER),
    ),
    _Cause(
        "credentials-source",
        ("OSError",),
        "The file {filename} that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be "
        "read{because}.",
        "Correct or unset AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.",
        sources=_from(CONTAINER),
    ),
    _Cause(
        "credentials-source",
        (_BAD_HOST, "HTTPClientError"),
        "{container_variable} is not an address from which AWS's library takes credentials.",
        "Correct or unset {container_variable}: https, or a loopback or container address.",
        sources=_from(CONTAINER),
    ),
    _Cause(
        "credentials-source",
        ("LookupError", "TypeError", "AttributeError", "ValueError"),
        "What {container_variable} leads to does not answer with credentials.",
        "Check {container_variable}, or unset it.",
        sources=_from(CONTAINER),
    ),
    _Cause(
        "credentials-source",
        ("CredentialRetrievalError",),
        "The AWS credentials could not be retrieved from where {container_variable} leads{said}.",
        "Check {container_variable}, or unset it; inside `docker build` a container's role is out "
        "of reach, so hand over a token in CODEARTIFACT_AUTH_TOKEN there.",
        sources=_from(CONTAINER),
    ),
    _Cause(
        "credentials-source",
        ("Exception",),
        "The instance metadata service (IMDS) did not give usable credentials: {error}.",
        "Check the role of the instance; AWS_EC2_METADATA_DISABLED=true leaves it aside.",
        sources=_from(INSTANCE),
    ),
    _Cause(
        "credentials-source",
        ("CredentialRetrievalError", "MetadataRetrievalError"),
        "The AWS credentials{who} could not be retrieved: {error}.",
        "Check the source that it names, in {config_file}.",
    ),
    _Cause(
        "keys-expired",
        (_REFRESHED,),  # a RuntimeError: botocore has no class of its own for it
        "The AWS credentials{who} have expired.",
        "{renewal}",
    ),
    # (Whatever else a source of credentials raises, now or in another version.)
    _Cause(
        "credentials-source",
        (_NOT_AN_ANSWER,),
        "The AWS credentials{who} could not be retrieved: {error}.",
        "Check that `aws sts get-caller-identity{with_profile}` works in this shell.",
        sources=_CREDENTIALS,
    ),
    _Cause(
        "service-fault",
        ("ResponseParserError", "LookupError", "ValueError", "TypeError", "AttributeError"),
        "AWS's answer to the request for {wanted} is broken off or garbled.",
        "Try again; if it stays, look at what stands between here and AWS, such as a proxy.",
    ),
    # What AWS answers: first about who asks...
    _Cause(
        "clock-wrong",
        (_CLOCK,),
        "The clock of this machine is wrong by more than 5 minutes; AWS says: {message}",
        "Set the clock (a virtual machine that was asleep needs its time synchronised).",
    ),
    _Cause(
        "web-identity-refused",
        (
            "ExpiredTokenException",
            "ExpiredToken",
            "InvalidIdentityToken",
            "IDPRejectedClaim",
            "IDPCommunicationError",
        ),
        "AWS does not accept the web identity token in {identity_file}: {message}",
        "Have it made again: it comes from {identity_setting}, and lives for minutes.",
        _WEB,
    ),
    _Cause(
        "keys-expired",
        ("ExpiredTokenException", "ExpiredToken"),
        "The AWS credentials{who} have expired.",
        "{renewal}",
    ),
    _Cause(
        "keys-wrong",
        (
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
        ),
        "AWS does not accept the credentials{who}: {message}",
        "Check the access key and its secret, and that the clock of this machine is right.",
    ),
    _Cause(
        "sso-denied",
        (_ANY,),
        "AWS SSO gives no credentials{who}: {message}",
        "Run `{login}`; if it stays, check the account and role of the profile.",
        _SSO,
    ),
    _Cause(
        "assume-role-denied",
        (_ANY,),
        "AWS refused {operation}{who} ({answer}): {message}",
        "Check the role, its trust policy and the identity that assumes it.",
        _ROLE,
    ),
    _Cause(
        "login-denied",
        (_ANY,),
        "AWS refused {operation}{who} ({answer}): {message}",
        "Run `{login}` and try again.",
        _LOGIN,
    ),
    # ...then about a token...
    _Cause(
        "bearer-denied",
        (_BEARER,),
        "AWS denies a token for {domain}: {message}",
        _ASK_FOR_BOTH,
        _TOKEN,
    ),
    _Cause(
        "token-denied",
        _DENIED,
        "AWS denies a token for {domain}: {message}",
        _ASK_FOR_BOTH,
        _TOKEN,
    ),
    _Cause(
        "domain-missing",
        _MISSING,
        "There is no CodeArtifact domain {domain}: {message}",
        "Check domain, account and region in the URL of the source.",
        _TOKEN,
    ),
    _Cause(
        "throttled",
        _THROTTLED,
        "AWS limits how many tokens may be asked for at once, also after several tries.",
        "Try again in a moment; a shared token in CODEARTIFACT_AUTH_TOKEN spares the calls.",
        _TOKEN,
    ),
    _Cause(
        "aws-invalid",
        ("ValidationException",),
        "AWS does not accept the request for {wanted}: {message}",
        "Check the URL of the source and the --ca-duration setting.",
        _TOKEN,
    ),
    # ...then about what a repository holds...
    _Cause(
        "list-denied",
        _DENIED,
        "AWS denies {operation} for repository {repository} of {domain}: {message}",
        "Ask for codeartifact:{operation} in your identity's policy; the read-only policy "
        "AWSCodeArtifactReadOnlyAccess has it.",
        _LISTING,
    ),
    _Cause(
        "repository-missing",
        _MISSING,
        "AWS does not find repository {repository} of {domain}: {message}",
        "Check domain, account, region and repository in the URL.",
        _LISTING,
    ),
    _Cause(
        "aws-invalid",
        ("ValidationException",),
        "AWS does not accept the request for {wanted}: {message}",
        "Check the URL of the repository.",
        _LISTING,
    ),
    # ...and about any other operation.
    _Cause(
        "throttled",
        _THROTTLED,
        "AWS limits how fast {operation} may be called, also after several tries.",
        "Try again in a moment.",
    ),
    _Cause(
        "operation-denied",
        ("AccessDenied",),
        "AWS denies {action}{resource}{who}.",
        "Ask for {action}; or print the policy, without --create, and hand it to somebody who may "
        "create it.",
    ),
    _Cause(
        "operation-denied",
        ("AccessDeniedException",),
        "AWS denies {action}{resource}{who}.",
        "Ask for {action} in your identity's policy: `pipenv-ca provision policy admin --domain "
        "{name} --repository NAME` prints one for CodeArtifact. In another account's domain that "
        "domain's policy must allow it, too.",
    ),
    _Cause(
        "quota-exceeded",
        ("ServiceQuotaExceededException", "LimitExceeded"),
        "AWS refuses {operation}, because a quota is used up: {message}",
        "Delete unused resources or request a quota increase (Service Quotas in the AWS console).",
    ),
    _Cause(
        "aws-conflict",
        ("ConflictException", "EntityAlreadyExists"),
        "AWS refuses {operation}, because something else exists or has changed meanwhile: "
        "{message}",
        "Run the command again; it starts from the present state.",
    ),
    _Cause(
        "aws-missing",
        _MISSING,
        "AWS does not find what {operation} is about: {message}",
        "Check the names, the account and the region.",
    ),
    _Cause(
        "key-unusable",
        ("ENCRYPTION_KEY_ERROR",),
        "AWS cannot use the KMS key: {message}",
        "It must be a symmetric key of this region that is not in an external key store; your "
        "identity needs kms:DescribeKey and kms:CreateGrant on it.",
    ),
    _Cause(
        "aws-invalid",
        ("ValidationException", "ValidationError", "MalformedPolicyDocument", "InvalidInput"),
        "AWS does not accept {operation}: {message}",
        "Check the names and values that were given.",
    ),
    _Cause(
        "service-fault",
        ("ClientError",),
        "AWS answered {operation} with {answer}: {message}",
        "Try again; if it stays, see the AWS Health Dashboard.",
    ),
    _Cause(
        "aws-invalid",
        ("ParamValidationError",),
        "AWS's library does not accept the request for {wanted}: {report}.",
        "Check the names and values that were given.",
    ),
    _Cause(
        "service-fault",
        ("BaseException",),
        "AWS could not be asked for {wanted}: {error}.",
        "Check that `aws sts get-caller-identity{with_profile}` works in this shell.",
    ),
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
        profile: the profile in force; None for the default one.
        repository: the repository whose packages were asked for; None for another question.
        token: whether a token was wanted, so that a ready one would help.
        profile_from: what named the profile; None where that is not known.
    """
    origin, settings = aws_origin.find_origin(error), Settings(profile)
    names = list(_names(error, domain.region, origin, settings))
    texts = _texts(error, domain, profile, repository, token=token)
    texts |= _setting_texts(error, origin, settings, profile)
    if profile_from is not None:
        texts["profile_from"] = profile_from
    operation = str(texts["operation"])
    for cause in _CAUSES:
        if _fits(cause, names, operation, origin.source, lists=repository is not None):
            sentence, hint = cause.sentence.format(**texts), cause.hint.format(**texts)
            return failure(cause.code, "AWS", sentence, hint)
    raise AssertionError(names)  # the last row fits everything


def _fits(cause: _Cause, names: list[str], operation: str, source: str, *, lists: bool) -> bool:
    if cause.operations is not None and operation not in cause.operations:
        return False
    if cause.operations == _LISTING and not lists:
        return False
    if cause.sources is not None and source not in cause.sources:
        return False
    return any(name in cause.errors for name in names)


def _names(error: BaseException, region: str, origin: Origin, settings: Settings) -> Iterator[str]:
    """Yield the names by which an error may stand in the table."""
    yield from (kind.__name__ for kind in type(error).__mro__)
    if _was_parsing(error):
        yield botocore.parsers.ResponseParserError.__name__
    if isinstance(error, botocore.exceptions.ClientError):
        yield from _answer_names(error)
        return
    yield _NOT_AN_ANSWER
    yield from _file_names(error, origin, settings)
    yield from _way_names(error, origin, settings)
    yield from _source_names(error, origin)
    if isinstance(
        error, (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
    ) and not (origin.source != CALL or has_codeartifact(region)):
        yield _NO_REGION


def _was_parsing(error: BaseException) -> bool:
    """Whether botocore failed at the shape of an answer, by whatever error."""
    traced = error.__traceback__
    while traced is not None:
        if traced.tb_frame.f_globals.get("__name__") == botocore.parsers.__name__:
            return True
        traced = traced.tb_next
    return False


def _answer_names(error: botocore.exceptions.ClientError) -> Iterator[str]:
    yield _ANY
    message = _message(error)
    yield str(error.response.get("Error", {}).get("Code", ""))
    yield str(error.response.get("reason", ""))
    if "Signature expired" in message or "Signature not yet current" in message:
        yield _CLOCK
    if "GetServiceBearerToken" in message:
        yield _BEARER


def _file_names(error: BaseException, origin: Origin, settings: Settings) -> Iterator[str]:
    name, innermost = type(error).__name__, origin.functions[-2:]
    facts = {
        _HALF: name == "NoCredentialsError" and settings.lacks,
        _UNREAD: name == "NoCredentialsError" and settings.unread,
        _EMPTY_PROFILE: name == "ProfileNotFound" and not _said(error).get("profile"),
        _MISNAMED: name == "ProfileNotFound" and settings.misnamed,
        _UNREAD_PROFILE: name == "ProfileNotFound" and settings.unread,
        _CONFIG_TEXT: isinstance(error, UnicodeError) and "raw_config_parse" in innermost,
        _SETTING: name in _SETTINGS
        or (isinstance(error, (ValueError, TypeError)) and origin.setting),
        _ENDPOINT: (isinstance(error, ValueError) and "create_endpoint" in innermost)
        or (name == "EndpointResolutionError" and "ustom endpoint" in str(error)),
    }
    yield from (fact for fact, holds in facts.items() if holds)


def _way_names(error: BaseException, origin: Origin, settings: Settings) -> Iterator[str]:
    if (
        isinstance(error, botocore.exceptions.SSLError) or "_setup_ssl_cert" in origin.functions
    ) and aws_origin.missing_bundle(settings):
        yield _NO_BUNDLE
    if isinstance(error, UnicodeEncodeError) and origin.source == CALL:
        yield _HEADER
    if isinstance(error, ValueError) and "port" in aws_origin.functions_of(error):
        yield _ENDPOINT
    inner = _said(error).get("error")
    if not isinstance(error, botocore.exceptions.HTTPClientError):
        return
    if not isinstance(inner, ValueError):
        return
    called = aws_origin.functions_of(inner)
    if called & {"_get_connection_manager", "_get_proxy_manager", "proxy_url_for"}:
        yield _PROXY_URL
    elif isinstance(inner, UnicodeEncodeError) or called & {"putheader", "putrequest"}:
        yield _HEADER
    else:
        yield _BAD_HOST if origin.source == CONTAINER else _ENDPOINT


def _source_names(error: BaseException, origin: Origin) -> Iterator[str]:
    said, functions = str(error), origin.functions
    if isinstance(error, (ValueError, TypeError, AttributeError)) and (
        {"_expiry_datetime", "_parse_if_needed"} & set(functions) or origin.source == ENVIRONMENT
    ):
        yield _EXPIRY
    if "compat_shell_split" in functions:
        yield _QUOTATION
    if getattr(origin.values.get("p"), "returncode", None):
        yield _FAILED
    if isinstance(error, ValueError) and getattr(error, "doc", None) == "":
        yield _NO_OUTPUT
    if isinstance(error, botocore.exceptions.ParamValidationError) and "WebIdentityToken" in said:
        yield _EMPTY_IDENTITY
    if functions[-1:] == ("_validate_auth_token",):
        yield _LINE_BREAK
    if functions[-1:] == ("_validate_allowed_url",) or "urlparse" in functions:
        yield _BAD_HOST
    if type(error).__name__ == "SSOTokenLoadError" and "does not exist" in said:
        yield _NO_LOGIN
    if isinstance(error, RuntimeError) and functions[-1:] == ("_protected_refresh",):
        yield _REFRESHED


def _texts(
    error: BaseException,
    domain: Domain,
    profile: str | None,
    repository: str | None,
    *,
    token: bool,
) -> dict[str, object]:
    """Return what the placeholders of the table stand for, as far as the question tells."""
    refusal = error if isinstance(error, botocore.exceptions.ClientError) else None
    message = _message(refusal) if refusal else ""
    operation = str(refusal.operation_name) if refusal else ""
    asked = re.search(r"not authorized to perform: (\S+)(?: on resource: (\S+))?", message)
    packages = f"the packages of repository {repository} of {domain}"
    return {
        "action": asked[1] if asked else operation,
        "answer": refusal.response.get("Error", {}).get("Code", "") if refusal else "",
        "domain": domain,
        "error": _error_text(error),
        "filename": getattr(error, "filename", None),
        "message": _first_sentence(message),
        "name": domain.name,
        "operation": operation,
        "or_ci_token": "; in CI without AWS, hand over a token in CODEARTIFACT_AUTH_TOKEN"
        if token
        else "",
        "or_token": ", or hand over a ready token in CODEARTIFACT_AUTH_TOKEN" if token else "",
        "profile": profile or "default",
        "region": domain.region,
        "repository": repository,
        "resource": f" on {asked[2]}" if asked and asked[2] else "",
        "wanted": packages
        if repository
        else f"a token of {domain}"
        if token
        else domain
        if domain.name
        else "the caller's account",
        "who": f" with profile {profile}" if profile else "",
        "with_profile": f" --profile {profile}" if profile else "",
    }


def _setting_texts(
    error: BaseException, origin: Origin, settings: Settings, profile: str | None
) -> dict[str, object]:
    """Return what the placeholders stand for that tell the settings and the place."""
    said = _said(error)
    bundle = aws_origin.missing_bundle(settings) or ("", "")
    strerror = next(
        (each.strerror for each in (error, error.__context__) if isinstance(each, OSError)), None
    )
    # (What botocore says before it says what others said.)
    output = quote(re.sub(r"^.*metadata: ", "", str(said.get("error_msg", ""))))
    logical = origin.setting or _SETTINGS.get(type(error).__name__, "")
    return {
        "and_region": _what_named(error, origin),
        "because": f": {strerror}" if strerror else "",
        "botocore": botocore.__version__,
        "bundle": bundle[1],
        "bundle_setting": bundle[0],
        "bundle_advice": aws_origin.bundle_advice(settings),
        "config_file": settings.config,
        "container_token": "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        + ("_FILE" if "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in os.environ else ""),
        "container_variable": settings.container_variable,
        "credentials_file": settings.credentials,
        "data_path": f", and check {aws_origin.setting_names('data_path')}"
        if "AWS_DATA_PATH" in os.environ
        else "",
        "endpoint_setting": aws_origin.endpoint_setting(),
        "get_some": _ways_to_get_some(profile),
        "identity_file": origin.values.get("token_path") or settings.identity_file,
        "identity_setting": settings.identity_setting,
        "lacks": settings.lacks,
        "login": settings.login,
        "missing": str(said.get("cred_var", "")),
        "parse_trouble": aws_origin.parse_trouble(error),
        "path": said.get("path") or origin.values.get("path"),
        "process_seconds": PROCESS_SECONDS,
        "profile_from": aws_origin.profile_origin(profile),
        "program": settings.program_of(origin),
        "proxies": aws_origin.proxy_variables(),
        "renewal": settings.renewal,
        "report": quote(str(said.get("report", ""))),
        "rewrite_keys": settings.rewriting,
        "role_variables": " or AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME"
        if origin.source == WEB and "AWS_ROLE_ARN" in os.environ
        else "",
        "said": f": {output}" if output else " and did not say why",
        "seconds": _seconds(error),
        "service": _service(error, origin),
        "setting": aws_origin.setting_names(logical),
        "unread": settings.unread,
    }


def _said(error: BaseException) -> dict[str, Any]:
    """Return what an error of botocore's own says, by its names."""
    said = getattr(error, "kwargs", None)
    return said if isinstance(said, dict) else {}


def _error_text(error: BaseException) -> str:
    # What others raise may quote keys, a header or a whole answer.
    if isinstance(error, botocore.exceptions.UnknownServiceError):
        return f"it does not know the service {_said(error).get('service_name')}"
    if isinstance(error, botocore.exceptions.BotoCoreError):
        return quote(str(error)) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _ways_to_get_some(profile: str | None) -> str:
    where = f" --profile {profile}" if profile else ""
    disabled = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    return (
        f"Configure some (`aws configure{where}`, or `aws configure sso{where}`), or name a profile "
        "that has some (--ca-profile, AWS_PROFILE); in CI give the job a role"
        + (" (AWS_EC2_METADATA_DISABLED keeps an instance's out)" if disabled else "")
    )


def _service(error: BaseException, origin: Origin) -> str:
    """Name what was called: not every call goes to CodeArtifact."""
    url = str(_said(error).get("endpoint_url", ""))
    host = urllib.parse.urlsplit(url).hostname if "://" in url and "[" not in url else None
    region = re.search(r"\.([a-z]{2,}(?:-[a-z]+)+-\d)\.", host or "")
    named = _SERVICES.get(origin.source)
    if named is None and host and "codeartifact" not in host:
        return host
    return (named or "AWS CodeArtifact") + (f" in {region[1]}" if region else "")


def _what_named(error: BaseException, origin: Origin) -> str:
    if origin.source != CALL:
        return ""
    if _service(error, origin).startswith("AWS "):
        return ", and that CodeArtifact exists in this region"
    return f", and {aws_origin.endpoint_setting()}"


def _seconds(error: BaseException) -> str:
    found = re.search(r"timeout=([\d.]+)", str(_said(error).get("error", "")))
    return f" within {float(found[1]):g} seconds" if found else ""


def _message(error: botocore.exceptions.ClientError) -> str:
    return " ".join(str(error.response.get("Error", {}).get("Message", "")).split())


def _first_sentence(message: str) -> str:
    # General advice follows it.
    text = message.partition(". ")[0]
    return text if not text or text.endswith(".") else f"{text}."


def malformed_keys(
    keys: ReadOnlyCredentials, profile: str | None, *, given: bool
) -> TokenError | None:
    """Return the error for keys that hold what keys cannot hold; None where they do not.

    Such keys break a header, or are refused as if they were wrong.

    Args:
        keys: the keys.
        profile: the profile in force; None for the default one.
        given: whether they are not of a profile or the environment, but were given to us.
    """
    for name, value in (
        ("access key id", keys.access_key),
        ("secret access key", keys.secret_key),
        ("session token", keys.token),
    ):
        text = str(value or "")
        trouble = (
            "has a line break in it"
            if re.search(r"[\r\n]", text)
            else "stands in quotation marks"
            if text[:1] in {'"', "'"}
            else "has a blank in it"
            if re.search(r"\s", text)
            else "has a letter that keys do not have"
            if not re.fullmatch(r"[!-~]*", text)
            else None
        )
        if trouble is not None:
            who = f" with profile {profile}" if profile else ""
            return TokenError(
                f"The {name} of the AWS credentials{who} {trouble}.",
                "Correct them." if given else Settings(profile).rewriting,
                "keys-malformed",
            )
    return None


def has_codeartifact(region: str) -> bool:
    """Whether the installed botocore knows CodeArtifact in a region.

    It may be older than a region: use this to explain a failure, never to refuse a region.
    """
    known: list[str] = botocore.session.Session().get_available_regions("codeartifact")
    return region in known


def duration_refused(domain: Domain, refused: int, allowed: int) -> TokenError:
    """Return the error for a policy that limits how long tokens live (both in seconds)."""
    return TokenError(
        f"AWS denies a token for {domain} that lives {refused} seconds, and would give one of "
        f"{allowed}: a policy limits sts:DurationSeconds.",
        f"Set --ca-duration {allowed}, or `duration = {allowed}` in the configuration.",
        "duration-refused",
    )


def owner_wrong(domain: Domain, owner: str) -> TokenError:
    """Return the error for a domain that exists in another account than its URL says."""
    return TokenError(
        f"There is no CodeArtifact domain {domain}; account {owner} has one of that name.",
        f"Put {owner} in place of {domain.owner} into the URL of the source.",
        "owner-wrong",
    )
