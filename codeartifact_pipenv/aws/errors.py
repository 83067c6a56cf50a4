"""Translate botocore errors into a cause, a sentence and a next step.

It is a table, read from the top: the first row that holds is told. The classes are those of
botocore.exceptions. Imported only after something failed.
"""

from __future__ import annotations

import os
import re

import botocore.exceptions

from codeartifact_pipenv.aws import origin as aws_origin
from codeartifact_pipenv.aws.error_responses import ERROR_RESPONSES, HEALTH, TRY_AGAIN
from codeartifact_pipenv.aws.failure import (
    GARBLED,
    SERVICES,
    SETTINGS,
    AwsErrorResponse,
    AwsFailure,
    has_codeartifact,
    source_output,
)
from codeartifact_pipenv.aws.origin import (
    CALL,
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    LOGIN,
    PROCESS,
    SSO,
    WEB,
    AwsSettings,
)
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.findings import Finding, failure
from codeartifact_pipenv.terminal.install_hint import install_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import ReadOnlyCredentials

    from codeartifact_pipenv.aws.failure import Row
    from codeartifact_pipenv.endpoint import Domain

# How long a credential process may take: some wait until their user has answered them.
PROCESS_SECONDS = 300
_LOST = ("ConnectionError", "HTTPClientError")
_WORKS = "Check that `aws sts get-caller-identity{option}` works in this shell"


def explain(
    error: BaseException,
    domain: Domain,
    profile: str | None,
    *,
    repository: str | None = None,
    token: bool = False,
    profile_from: str | None = None,
) -> Finding:
    """Explain why a call to AWS failed.

    Args:
        error: an error of a call to AWS (``aws.CALL_ERRORS``).
        domain: the domain of the call.
        profile: the requested profile, or None for the one in the environment.
        repository: the repository whose packages were requested, or None.
        token: whether a token was requested, so that an existing one would help.
        profile_from: what named the profile, or None if unknown.
    """
    profile = profile or aws_origin.profile_in_environment()
    named_by = profile_from or aws_origin.profile_origin(profile)
    more = aws_origin.find_origin(error), AwsSettings(profile)
    if isinstance(error, botocore.exceptions.ClientError):
        answer = AwsErrorResponse(error, domain, profile, repository, token, named_by, *more)
        row = next(row[1:] for row in ERROR_RESPONSES if row[0](answer))
        return _finding(answer, *row)
    failed = AwsFailure(error, domain, profile, repository, token, named_by, *more)
    rows = (*_ANYWHERE, *_SOURCES.get(failed.source, ()), *_OTHERS)
    return _finding(failed, *next(row[1:] for row in rows if row[0](failed)))


def _finding(failed: AwsFailure, code: str, sentence: str, hint: str) -> Finding:
    return failure(code, "AWS", failed.text_of(sentence), failed.text_of(hint))


def _lacks(path: object) -> bool:
    return bool(path) and not os.path.exists(str(path))


def _is(*kinds: str) -> Callable[[AwsFailure], bool]:
    return lambda f: f.is_a(*kinds)


# AWS's files and variables, as botocore reads them.
_FILES: tuple[Row, ...] = (
    (
        lambda f: f.is_a("NoCredentialsError") and f.settings.lacks,
        "partial-credentials",
        "No AWS credentials were found{who}: {settings.lacks}.",
        "Set what is missing, or remove the rest.",
    ),
    (
        lambda f: f.is_a("NoCredentialsError") and f.settings.unread,
        "no-credentials",
        "No AWS credentials were found{who}: {settings.unread}.",
        "Correct that{or_token}.",
    ),
    (
        _is("NoCredentialsError"),
        "no-credentials",
        "No AWS credentials were found{who}.",
        "Configure some (`aws configure{option}`, or `aws configure sso{option}`), or name a "
        "profile that has some (--ca-profile, AWS_PROFILE); in CI give the job a role"
        "{disabled}{or_token}.",
    ),
    (
        lambda f: f.source == ENVIRONMENT and f.has_no_expiry,
        "keys-malformed",
        "AWS_CREDENTIAL_EXPIRATION is not a time.",
        "Unset it, or set it to a time such as 2030-01-31T12:00:00Z.",
    ),
    (
        lambda f: f.is_a("PartialCredentialsError") and f.source == ENVIRONMENT,
        "partial-credentials",
        "The AWS credentials in the environment are incomplete: {missing} is not set.",
        "Set {missing}, or unset the other variables of these credentials.",
    ),
    (
        _is("PartialCredentialsError"),
        "partial-credentials",
        "The AWS credentials{who} are incomplete: {missing} is not set.",
        "Add {missing} to the profile in {settings.credentials} or {config}, or remove the rest.",
    ),
    (
        lambda f: f.is_a("ProfileNotFound") and not f.said.get("profile"),
        "unknown-profile",
        "{profile_from} is empty, which AWS reads as a profile without a name.",
        "Unset {profile_from}, or set it to one of `aws configure list-profiles`.",
    ),
    (
        lambda f: f.is_a("ProfileNotFound") and f.settings.misnamed,
        "unknown-profile",
        "AWS profile {profile} was not found: {config} has a section "
        "[{profile}], and its name must be [profile {profile}].",
        "Rename the section.",
    ),
    (
        lambda f: f.is_a("ProfileNotFound") and f.settings.unread,
        "unknown-profile",
        "AWS profile {profile} was not found: {settings.unread}.",
        "Correct that; the name comes from {profile_from}.",
    ),
    (
        _is("ProfileNotFound"),
        "unknown-profile",
        "AWS profile {profile} was not found.",
        "See `aws configure list-profiles`; the name comes from {profile_from}.",
    ),
    (
        lambda f: (
            f.is_a("ConfigParseError")
            or (f.is_a("UnicodeError") and "raw_config_parse" in f.functions[-2:])
        ),
        "aws-config",
        "The AWS configuration file {parsed} cannot be read: {parse_error}.",
        "Correct the file; `aws configure list` shows how the AWS CLI reads it.",
    ),
    (
        lambda f: f.is_a("InvalidConfigError") and f.source == WEB,
        "aws-config",
        "{identity.setting} is set, but the role to assume with it is not.",
        "Set AWS_ROLE_ARN, or role_arn in the profile.",
    ),
    (
        lambda f: f.is_a(*SETTINGS) or (f.is_a("ValueError", "TypeError") and f.origin.setting),
        "aws-config",
        "{setting} has a value that AWS's library does not accept.",
        "Correct {setting}, or remove it.",
    ),
)
# The way to AWS.
_NETWORK: tuple[Row, ...] = (
    (
        lambda f: (
            (f.is_a("SSLError") or "_setup_ssl_cert" in f.functions)
            and _lacks(f.settings.bundle.path)
        ),
        "ca-bundle-missing",
        "{bundle.setting} names a CA bundle that does not exist: {bundle.path}.",
        "Correct or unset {bundle.setting}.",
    ),
    (
        lambda f: f.is_a("SSLError") and f.settings.bundle.path,
        "tls-untrusted",
        "The TLS certificate of {service} is not trusted here: {text}.",
        "Look at {bundle.path}, which {bundle.setting} names: it must hold "
        "the authority's certificate as PEM; or remove that setting.",
    ),
    (
        _is("SSLError"),
        "tls-untrusted",
        "The TLS certificate of {service} is not trusted here: {text}.",
        "Behind a company proxy, set AWS_CA_BUNDLE to its CA bundle.",
    ),
    (
        lambda f: (
            f.malformed_in & {"_get_connection_manager", "_get_proxy_manager", "proxy_url_for"}
        ),
        "proxy-invalid",
        "{proxies} is not the address of a proxy.",
        "Set {proxies} to http://HOST:PORT, or unset it.",
    ),
    (
        _is("ProxyConnectionError"),
        "proxy-down",
        "The proxy for {service} cannot be reached: {text}.",
        "Check {proxies} and NO_PROXY.",
    ),
    (
        lambda f: (
            (f.is_a("UnicodeEncodeError") and f.source == CALL)
            or isinstance(f.malformed, UnicodeEncodeError)
            or f.malformed_in & {"putheader", "putrequest"}
        ),
        "keys-malformed",
        "The AWS credentials{who} contain a space, a line break or a character that keys do not have.",
        "{settings.rewriting}",
    ),
    (
        lambda f: (
            (f.malformed and f.source != CONTAINER)
            or (f.is_a("ValueError") and "create_endpoint" in f.functions[-2:])
            or (f.is_a("ValueError") and "port" in aws_origin.functions_of(f.error))
            or (f.is_a("EndpointResolutionError") and "ustom endpoint" in str(f.error))
        ),
        "aws-config",
        "{endpoint} is not the address of a service: it must be a URL such as https://HOST.",
        "Correct {endpoint}, or remove it.",
    ),
    (
        lambda f: f.is_a(*_LOST) and f.source == CALL and not has_codeartifact(f.domain.region),
        "region-unsupported",
        "AWS has no CodeArtifact in {domain.region}, as far as this version of botocore knows, "
        "and its address cannot be reached.",
        "Check the region in the URL of the source.",
    ),
    (
        _is("ConnectTimeoutError"),
        "unreachable",
        "{service} cannot be reached: no connection{seconds}.",
        "Check the network and the proxy, or try again{in_ci}.",
    ),
    (
        _is("ReadTimeoutError"),
        "unreachable",
        "{service} is slow: it accepts the connection, but does not answer{seconds}.",
        f"{TRY_AGAIN}{HEALTH} and what is between this machine and AWS, such as a proxy{{in_ci}}.",
    ),
    (
        lambda f: f.is_a(*_LOST) and f.source not in {CONTAINER, INSTANCE},
        "unreachable",
        "{service} cannot be reached: {text}.",
        "Check the network and the proxy{and_region}{in_ci}.",
    ),
)
# AWS's library.
_LIBRARY: tuple[Row, ...] = (
    (
        _is("NoRegionError"),
        "aws-config",
        "{service} provides the AWS credentials{who}, but no region is set for it.",
        "Set region in the profile in {config}, or AWS_DEFAULT_REGION.",
    ),
    (
        _is(
            "BaseEndpointResolverError",
            "ConfigNotFound",
            "EndpointProviderError",
            "InvalidConfigError",
            "InvalidProxiesConfigError",
            "InvalidRegionError",
            "InvalidRetryConfigurationError",
        ),
        "aws-config",
        "The AWS configuration{who} is not valid: {text}.",
        "Correct it: {config}, or variables whose names begin with AWS_.",
    ),
    (
        _is("DataNotFoundError", "ImportError"),
        "botocore-incomplete",
        "AWS's library botocore {botocore} lacks something that it needs to call AWS: {text}.",
        "Upgrade or reinstall botocore in the environment of codeartifact-pipenv{data_path}.",
    ),
)
# Logins and second factors.
_LOGINS: tuple[Row, ...] = (
    (
        lambda f: f.is_a("SSOTokenLoadError") and "does not exist" in str(f.error),
        "sso-never",
        "You have not logged in to AWS SSO{who} on this machine.",
        "{log_in}",
    ),
    (
        _is("SSOTokenLoadError"),
        "sso-broken",
        "The AWS SSO login{who} in ~/.aws/sso/cache cannot be read: it is incomplete.",
        "Remove the files in ~/.aws/sso/cache, then run `{settings.login}`.",
    ),
    (
        lambda f: f.is_garbled(SSO),
        "sso-broken",
        "The AWS SSO login{who} in ~/.aws/sso/cache cannot be read{because}.",
        "Remove the files in ~/.aws/sso/cache, then run `{settings.login}`.",
    ),
    (
        _is("UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"),
        "sso-expired",
        "The AWS SSO login{who} has expired.",
        "{log_in}",
    ),
    (
        _is("LoginInsufficientPermissions"),
        "login-denied",
        "The session of `aws login`{who} may not be renewed: the permission "
        "signin:CreateOAuth2Token is missing.",
        "Ask for signin:CreateOAuth2Token in your identity's policy.",
    ),
    (
        lambda f: (
            f.is_a("LoginRefreshRequired", "LoginTokenLoadError", "LoginError")
            or f.is_garbled(LOGIN)
        ),
        "login-expired",
        "The session of `aws login`{who} has expired, was never made or cannot be read.",
        "{log_in}",
    ),
    (
        _is("MissingDependencyException"),
        "login-library",
        "This kind of AWS login needs a library that is not installed: {text}.",
        f"Run `{install_command('login')}`.",
    ),
    (
        _is("RefreshWithMFAUnsupportedError"),
        "mfa-required",
        "The AWS session{who} has expired, and AWS asks for the second factor again.",
        "Run the command again.",
    ),
    (
        _is("EOFError", "GetPassWarning"),
        "mfa-required",
        "AWS asks for a second factor{who}, which needs a terminal.",
        "Run an `aws` command with this profile in a terminal first, such as "
        "`aws sts get-caller-identity`; its session is used until it expires.",
    ),
)
_ANYWHERE = (*_FILES, *_NETWORK, *_LIBRARY, *_LOGINS)
_RUN_IT = (
    "Run it by hand: it must print JSON with Version 1, AccessKeyId and SecretAccessKey; it is "
    "credential_process in {config}."
)


def _has_failed(process: AwsFailure) -> bool:
    ended = getattr(process.origin.values.get("p"), "returncode", None)
    return process.is_a("CredentialRetrievalError") or bool(
        ended and not process.is_a("TimeoutExpired")
    )


_PROCESS: tuple[Row, ...] = (
    (
        lambda f: "compat_shell_split" in f.functions,
        "credentials-source",
        "credential_process{who} has a quotation mark that is not closed.",
        "Correct it in {config}.",
    ),
    (
        lambda f: _has_failed(f) and source_output(f),
        "credentials-source",
        "The AWS credentials{who} could not be retrieved: the credential process {program} "
        "failed: {output}.",
        _RUN_IT,
    ),
    (
        _has_failed,
        "credentials-source",
        "The AWS credentials{who} could not be retrieved: the credential process {program} "
        "failed and did not say why.",
        _RUN_IT,
    ),
    (
        _is("OSError"),
        "credentials-source",
        "The credential process {program}{who} cannot be run{because}.",
        "Correct credential_process in {config}: the program's full path, without `~` "
        "or variables.",
    ),
    *(
        (holds, "credentials-source", f"The credential process {{program}}{{who}} {what}.", _RUN_IT)
        for holds, what in (
            (_is("TimeoutExpired"), f"has not ended within {PROCESS_SECONDS} seconds"),
            (
                lambda f: f.has_no_expiry,
                "printed an Expiration that is not a time such as 2030-01-31T12:00:00Z",
            ),
            (
                lambda f: f.is_a(*GARBLED) and getattr(f.error, "doc", None) == "",
                "printed nothing",
            ),
            (_is(*GARBLED), "did not print JSON with keys"),
        )
    ),
)
_WEB_IDENTITY: tuple[Row, ...] = tuple(
    (
        holds,
        "web-identity-missing",
        f"The web identity token file {{identity_file}} {what}.",
        "Check {identity.setting}; in GitHub Actions give the job "
        "`permissions: id-token: write` and use aws-actions/configure-aws-credentials.",
    )
    for holds, what in (
        (_is("FileNotFoundError"), "does not exist"),
        (
            lambda f: f.is_a("ParamValidationError") and "WebIdentityToken" in str(f.error),
            "is empty, or too short for a token",
        ),
        (_is("OSError"), "cannot be read{because}"),
        (_is("ValueError"), "does not hold a token"),
    )
)
_CONTAINER: tuple[Row, ...] = (
    (
        lambda f: f.functions[-1:] == ("_validate_auth_token",),
        "credentials-source",
        "{container_token} contains a line break, which a request cannot contain.",
        "Write it without a line break at its end.",
    ),
    (
        _is("OSError"),
        "credentials-source",
        "The file {file} that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be "
        "read{because}.",
        "Correct or unset AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.",
    ),
    (
        lambda f: (
            f.is_a("HTTPClientError")
            or f.functions[-1:] == ("_validate_allowed_url",)
            or "urlparse" in f.functions
        ),
        "credentials-source",
        "{container} is not an address from which AWS's library takes credentials.",
        "Correct or unset {container}: https, or a loopback or container address.",
    ),
    (
        _is("CredentialRetrievalError", *GARBLED),
        "credentials-source",
        "The address in {container} does not answer with credentials{and_output}.",
        "Check {container}, or unset it; inside `docker build` a container's "
        "role cannot be reached, so pass a token in CODEARTIFACT_AUTH_TOKEN there.",
    ),
)
_INSTANCE: tuple[Row, ...] = (
    (
        lambda _: True,
        "credentials-source",
        "The instance metadata service (IMDS) did not give usable credentials: {text}.",
        "Check the role of the instance; AWS_EC2_METADATA_DISABLED=true disables it.",
    ),
)
_SOURCES = {PROCESS: _PROCESS, WEB: _WEB_IDENTITY, CONTAINER: _CONTAINER, INSTANCE: _INSTANCE}
# Any other error of a credential source or a call.
_OTHERS: tuple[Row, ...] = (
    (
        lambda f: f.is_a("ParamValidationError") and f.source in SERVICES,
        "aws-config",
        "The AWS configuration{who} is not valid: {report}.",
        "Correct role_arn and the settings next to it in {config}{or_role}.",
    ),
    (
        # botocore raises a plain RuntimeError
        lambda f: f.is_a("RuntimeError") and f.functions[-1:] == ("_protected_refresh",),
        "keys-expired",
        "The AWS credentials{who} have expired.",
        "{settings.renewal}",
    ),
    (
        lambda f: f.source != CALL or f.is_a("CredentialRetrievalError", "MetadataRetrievalError"),
        "credentials-source",
        "The AWS credentials{who} could not be retrieved: {text}.",
        f"{_WORKS}; their source is set in {{config}}.",
    ),
    (
        lambda f: f.is_a("ResponseParserError", *GARBLED) or f.origin.was_parsing,
        "service-fault",
        "AWS's answer to the request for {wanted} is incomplete or damaged.",
        f"{TRY_AGAIN}check what is between this machine and AWS, such as a proxy.",
    ),
    (
        _is("ParamValidationError"),
        "aws-invalid",
        "AWS's library does not accept the request for {wanted}: {report}.",
        "Check the names and values that were given.",
    ),
    (
        lambda _: True,
        "service-fault",
        "AWS could not be asked for {wanted}: {text}.",
        f"{_WORKS}.",
    ),
)
# Characters that a key cannot have.
_NOT_IN_KEYS = {
    r"[\r\n]": "contains a line break",
    r"^[\"']": "is in quotation marks",
    r"\s": "contains a space",
    r"[^!-~]": "contains a character that keys do not have",
}


def malformed_keys(
    keys: ReadOnlyCredentials, profile: str | None, *, given: bool
) -> TokenError | None:
    """Return the error for keys with impossible characters, or None.

    Such keys break a header, or are refused as if they were wrong.

    Args:
        keys: the keys.
        profile: the profile that was asked for, or None for the one in the environment.
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
