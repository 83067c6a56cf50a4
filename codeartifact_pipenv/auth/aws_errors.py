"""From botocore's exceptions to one sentence and a next step: one table, read top down.

Classes and codes are those of botocore.exceptions and of "Common errors" in the CodeArtifact
API reference. Imported only after something failed.
"""

from __future__ import annotations

import getpass
import re
from typing import NamedTuple

import botocore.exceptions as aws
import botocore.session
from botocore.parsers import ResponseParserError

from codeartifact_pipenv.errors import ListingError, TokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint


class _Facts(NamedTuple):
    """What the texts below may speak of."""

    error: BaseException
    domain: Domain
    profile: str | None
    repository: str | None = None

    @property
    def wanted(self) -> str:
        if self.repository is None:
            return f"a token of {self.domain}"
        return f"the packages of repository {self.repository} of {self.domain}"

    @property
    def login(self) -> str:
        return f"aws sso login --profile {self.profile}" if self.profile else "aws sso login"

    @property
    def who(self) -> str:
        return f" with profile {self.profile}" if self.profile else ""


def explain(error: BaseException, domain: Domain, profile: str | None) -> TokenError:
    """Turn what botocore raised into an error that says what to do.

    Args:
        error: what asking AWS may raise (``aws.ASKING_FAILS``).
        domain: what a token was asked for.
        profile: the profile in force; None for the default one.
    """
    return TokenError(*_explain(_Facts(error, domain, profile)))


def explain_listing(
    error: BaseException, endpoint: RepositoryEndpoint, repository: str, profile: str | None
) -> ListingError:
    """Do the same where AWS was asked what a repository of an endpoint's domain holds."""
    return ListingError(*_without_token(_Facts(error, endpoint.domain, profile, repository)))


def _without_token(facts: _Facts) -> tuple[str, str, str | None]:
    sentence, hint, code = _explain(facts)
    # Only the package endpoint takes a token.
    for tail in _TOKEN_HELPS:
        hint = hint.replace(tail, ".")
    return sentence, hint, code


def _explain(facts: _Facts) -> tuple[str, str, str | None]:
    error, domain = facts.error, facts.domain
    if isinstance(error, aws.ClientError):
        return _refusal(facts, error)
    for code, classes, sentence, hint in _CAUSES:
        if isinstance(error, tuple(getattr(aws, name, ()) or () for name in classes) or ()):
            if code == "unreachable" and not has_codeartifact(domain.region):
                return _no_region(facts)
            return _fill(sentence, facts), _fill(hint, facts), code
    if isinstance(error, RuntimeError):  # botocore has no class of its own for it
        return (
            f"The AWS credentials{facts.who} have expired.",
            f"Log in again (`{facts.login}`), or have their source renew them.",
            "keys-expired",
        )
    if isinstance(error, (ResponseParserError, UnicodeDecodeError, KeyError)):
        return (
            f"AWS's answer to the request for {facts.wanted} is broken off or garbled.",
            "Try again; if it stays, look at what stands between here and AWS, such as a proxy.",
            "service-fault",
        )
    if isinstance(error, (EOFError, getpass.GetPassWarning)):
        return (
            f"AWS asks for a second factor{facts.who}, and there is no terminal to type it on.",
            "Run an `aws` command with this profile in a terminal first, such as "
            "`aws sts get-caller-identity`; its session is used for as long as it lives.",
            "mfa-required",
        )
    if isinstance(error, FileNotFoundError):
        return (
            f"The web identity token file {error.filename} does not exist.",
            "In GitHub Actions give the job `permissions: id-token: write` and use "
            "aws-actions/configure-aws-credentials; elsewhere check AWS_WEB_IDENTITY_TOKEN_FILE.",
            "web-identity-missing",
        )
    return (
        f"AWS could not be asked for {facts.wanted}: {_one_line(error)}.",
        "Check that `aws sts get-caller-identity` works in this shell.",
        None,
    )


def explain_operation(
    error: BaseException, domain: Domain, profile: str | None
) -> tuple[str, str, str | None]:
    """Say what is wrong where an operation that makes, changes or shows something failed.

    Args:
        error: as for :func:`explain`.
        domain: what it was about.
        profile: the profile in force; None for the default one.

    Returns:
        Sentence, hint and the cause's code.
    """
    facts = _Facts(error, domain, profile)
    if not isinstance(error, aws.ClientError) or error.operation_name in _LOGINS:
        return _without_token(facts)
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = _stop(str(error.response.get("Error", {}).get("Message", "")))
    if any(code in codes for codes, cause, _, _ in _REFUSALS if cause in _OF_CREDENTIALS):
        return _refusal(facts, error, of_token=True)
    if "Signature expired" in message or "Signature not yet current" in message:
        return _refusal(facts, error)
    asked = re.search(r"not authorized to perform: (\S+)(?: on resource: (\S+))?", message)
    action = asked[1] if asked else error.operation_name
    reason = str(error.response.get("reason", ""))
    for codes, cause, sentence, hint in _OPERATION_REFUSALS:
        if code in codes or reason in codes:
            named = {"action": action, "operation": error.operation_name, "message": message}
            named["resource"] = f" on {asked[2]}" if asked and asked[2] else ""
            named["name"], named["who"] = domain.name, facts.who
            return sentence.format(**named), hint.format(**named), cause
    return (
        f"AWS answered {error.operation_name} with {code}: {message}",
        "Try again; if it stays, see the AWS Health Dashboard.",
        "service-fault",
    )


def classes_of_causes() -> list[tuple[str, str]]:
    """Return the causes that botocore has classes for, each with a class's name."""
    return [(code, name) for code, classes, _, _ in _CAUSES for name in classes]


def has_codeartifact(region: str) -> bool:
    """Whether the installed botocore knows CodeArtifact in a region.

    It may be older than a region; so the answer explains a failure, and never makes one.
    """
    known: list[str] = botocore.session.Session().get_available_regions("codeartifact")
    return region in known


def _no_region(facts: _Facts) -> tuple[str, str, str]:
    return (
        f"AWS has no CodeArtifact in {facts.domain.region}, as far as is known here, and its "
        "address is not reached.",
        "Check the region in the URL of the source.",
        "region-unsupported",
    )


def duration_refused(domain: Domain, refused: int, allowed: int) -> TokenError:
    """Return the error for a policy that limits how long tokens live (both in seconds)."""
    return TokenError(
        f"AWS denies a token for {domain} that lives {refused} seconds, and would give one of "
        f"{allowed}: a policy limits sts:DurationSeconds.",
        f"Set --ca-duration {allowed}, or `duration = {allowed}` in the configuration.",
        "duration-refused",
    )


def owner_wrong(domain: Domain, owner: str) -> TokenError:
    """Return the error for a domain that exists, in another account than its URL says."""
    return TokenError(
        f"There is no CodeArtifact domain {domain}; account {owner} has one of that name.",
        f"Put {owner} in place of {domain.owner} into the URL of the source.",
        "owner-wrong",
    )


_TOKEN_HELPS = (
    ", or hand over a ready token in CODEARTIFACT_AUTH_TOKEN.",
    "; in CI without AWS, hand over a token in CODEARTIFACT_AUTH_TOKEN.",
)
# Subclasses stand before their bases.
_CAUSES: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    (
        "no-credentials",
        ("NoCredentialsError",),
        "No AWS credentials were found{who}.",
        "Log in (`{login}`, or `aws configure sso` once before), or set AWS_PROFILE; in CI "
        f"configure a role{_TOKEN_HELPS[0]}",
    ),
    (
        "partial-credentials",
        ("PartialCredentialsError",),
        "The AWS credentials{who} are incomplete: {error}.",
        "Set what is missing, or remove the other half.",
    ),
    (
        "unknown-profile",
        ("ProfileNotFound",),
        "There is no AWS profile named {profile}.",
        "See `aws configure list-profiles`; the name comes from --ca-profile, "
        "PIPENV_CA_PROFILE, a `profile` setting or AWS_PROFILE.",
    ),
    (
        "sso-never",
        ("SSOTokenLoadError",),
        "The AWS SSO login{who} was never made on this machine.",
        "Run `{login}` and try again.",
    ),
    (
        "sso-expired",
        ("UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"),
        "The AWS SSO login{who} has expired.",
        "Run `{login}` and try again.",
    ),
    (
        "login-expired",
        ("LoginRefreshRequired", "LoginTokenLoadError", "LoginError"),
        "The session of `aws login`{who} has expired or was never made.",
        "Run `aws login` and try again.",
    ),
    (
        "login-library",
        ("MissingDependencyException",),
        "This kind of AWS login needs a library that is not installed: {error}.",
        "Install `botocore[crt]` beside codeartifact-pipenv.",
    ),
    (
        "mfa-required",
        ("RefreshWithMFAUnsupportedError",),
        "The AWS session{who} has ended and its second factor must be given again.",
        "Run the command again.",
    ),
    (
        "credentials-source",
        ("CredentialRetrievalError", "MetadataRetrievalError"),
        "The AWS credentials{who} could not be retrieved: {error}.",
        "Check the source that it names; inside `docker build` a container's role is out of "
        "reach, so hand over a token in CODEARTIFACT_AUTH_TOKEN there.",
    ),
    (
        "aws-config",
        ("ConfigParseError", "ConfigNotFound"),
        "The AWS configuration cannot be read: {error}.",
        "Correct the file; `aws configure list` shows what the AWS CLI makes of it.",
    ),
    (
        "aws-config",
        ("InvalidConfigError",),
        "The AWS configuration{who} is not right: {error}.",
        "Correct it in ~/.aws/config.",
    ),
    (
        "tls-untrusted",
        ("SSLError",),
        "The TLS certificate of AWS in {region} is not trusted here: {error}.",
        "Behind a proxy of your company, name its CA bundle in AWS_CA_BUNDLE.",
    ),
    (
        "proxy-down",
        ("ProxyConnectionError",),
        "The proxy for AWS is not reached: {error}.",
        "Check HTTPS_PROXY and NO_PROXY.",
    ),
    (
        "unreachable",
        ("ConnectionError", "HTTPClientError", "EndpointConnectionError"),
        "AWS CodeArtifact in {region} is not reached: {error}.",
        f"Check the network, and that CodeArtifact exists in this region{_TOKEN_HELPS[1]}",
    ),
)


_LISTINGS = {"DescribeRepository", "ListPackages", "ListPackageVersions"}
# What botocore itself calls for credentials, or what tells whose they are.
_LOGINS = {
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "CreateToken",
    "GetCallerIdentity",
    "GetRoleCredentials",
}


def _refusal(
    facts: _Facts, error: aws.ClientError, *, of_token: bool = False
) -> tuple[str, str, str | None]:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = _stop(str(error.response.get("Error", {}).get("Message", "")))
    operation = error.operation_name
    if "Signature expired" in message or "Signature not yet current" in message:
        return (
            f"The clock of this machine is wrong by more than 5 minutes; AWS says: {message}",
            "Set the clock (a virtual machine that was asleep needs its time synchronised).",
            "clock-wrong",
        )
    lists = not of_token and operation in _LISTINGS
    if (
        not lists
        and not of_token
        and operation not in {"GetAuthorizationToken", "GetCallerIdentity"}
    ):
        return _login_refusal(facts, operation, code, message)
    if code == "AccessDeniedException" and "GetServiceBearerToken" in message:
        code = "sts:GetServiceBearerToken"
    for codes, cause, sentence, hint in (*(_LISTING_REFUSALS if lists else ()), *_REFUSALS):
        if code in codes:
            return (
                f"{_fill(sentence, facts)}{message}"
                if sentence[-1] == " "
                else _fill(sentence, facts),
                _fill(hint, facts),
                cause,
            )
    return (
        f"AWS answered the request for {facts.wanted} with {code}: {message}",
        "Try again; if it stays, see the AWS Health Dashboard.",
        "service-fault",
    )


_PERMISSIONS = (
    "Ask for codeartifact:GetAuthorizationToken on the domain and sts:GetServiceBearerToken on "
    "* in your identity's policy."
)
# By codes of GetAuthorizationToken; AWS's own words follow a sentence that ends in a blank.
_REFUSALS: tuple[tuple[tuple[str, ...], str | None, str, str], ...] = (
    (
        ("AccessDeniedException", "AccessDenied"),
        "token-denied",
        "AWS denies a token for {domain}: ",
        _PERMISSIONS,
    ),
    (
        ("sts:GetServiceBearerToken",),
        "bearer-denied",
        "AWS denies a token for {domain}: ",
        _PERMISSIONS,
    ),
    (
        ("ResourceNotFoundException",),
        "domain-missing",
        "There is no CodeArtifact domain {domain}: ",
        "Check domain, account and region in the URL of the source.",
    ),
    (
        ("ExpiredTokenException", "ExpiredToken"),
        "keys-expired",
        "The AWS credentials{who} have expired.",
        "Log in again (`{login}`), or renew the keys in the environment.",
    ),
    (
        (
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
        ),
        "keys-wrong",
        "AWS does not accept the credentials{who}: ",
        "Check the access key and its secret, and that the clock of this machine is right.",
    ),
    (
        ("ThrottlingException", "TooManyRequestsException"),
        "throttled",
        "AWS limits how many tokens may be asked for at once, also after several tries.",
        "Try again in a moment; a shared token in CODEARTIFACT_AUTH_TOKEN spares the calls.",
    ),
    (
        ("ValidationException",),
        None,
        "AWS does not accept the request for a token of {domain}: ",
        "Check the URL of the source and the --ca-duration setting.",
    ),
)

# What is said of credentials and of too many calls is the same for every operation.
_OF_CREDENTIALS = {"keys-expired", "keys-wrong", "throttled"}
# By codes of other operations, or by the reason of a ValidationException.
_OPERATION_REFUSALS: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        ("AccessDenied",),  # so says IAM
        "operation-denied",
        "AWS denies {action}{resource}{who}.",
        "Ask for {action}; or have the policy printed, without --create, and hand it to somebody "
        "who may make it.",
    ),
    (
        ("AccessDeniedException",),
        "operation-denied",
        "AWS denies {action}{resource}{who}.",
        "Ask for {action} in your identity's policy: `pipenv-ca provision policy admin --domain "
        "{name} --repository NAME` prints one for CodeArtifact. In another account's domain that "
        "domain's policy must allow it, too.",
    ),
    (
        ("ServiceQuotaExceededException", "LimitExceeded"),
        "quota-exceeded",
        "AWS refuses {operation}, because a quota is used up: {message}",
        "Remove what is no more needed, or ask for more: the AWS console has Service Quotas.",
    ),
    (
        ("ConflictException", "EntityAlreadyExists"),
        "aws-conflict",
        "AWS says to {operation} that something else is there, or was changed meanwhile: {message}",
        "Run the command again; it starts from what is there then.",
    ),
    (
        ("ResourceNotFoundException", "NoSuchEntity"),
        "aws-missing",
        "AWS says to {operation} that there is no such thing: {message}",
        "Check the names, the account and the region.",
    ),
    (
        ("ENCRYPTION_KEY_ERROR",),
        "key-unusable",
        "AWS cannot use the KMS key: {message}",
        "It must be a symmetric key of this region, in no external key store; your identity needs "
        "kms:DescribeKey and kms:CreateGrant on it.",
    ),
    (
        ("ValidationException", "ValidationError", "MalformedPolicyDocument", "InvalidInput"),
        "aws-invalid",
        "AWS does not accept {operation}: {message}",
        "Check the names and values that were given.",
    ),
)


# The same, by codes of the calls that list packages.
_LISTING_REFUSALS: tuple[tuple[tuple[str, ...], str | None, str, str], ...] = (
    (
        ("AccessDeniedException", "AccessDenied"),
        "list-denied",
        "AWS denies {operation} for repository {repository} of {domain}: ",
        "Ask for codeartifact:{operation} in your identity's policy; the read-only policy "
        "AWSCodeArtifactReadOnlyAccess has it.",
    ),
    (
        ("ResourceNotFoundException",),
        "repository-missing",
        "AWS does not find repository {repository} of {domain}: ",
        "Check domain, account, region and repository in the URL.",
    ),
    (
        ("ThrottlingException", "TooManyRequestsException"),
        "throttled",
        "AWS limits how fast repository {repository} of {domain} may be asked, also after "
        "several tries.",
        "Try again in a moment.",
    ),
    (
        ("ValidationException",),
        None,
        "AWS does not accept the request for {wanted}: ",
        "Check the URL of the repository.",
    ),
)


def _login_refusal(
    facts: _Facts, operation: str, code: str, message: str
) -> tuple[str, str, str | None]:
    if operation == "GetRoleCredentials":
        return (
            f"AWS SSO gives no credentials{facts.who}: {message}",
            f"Run `{facts.login}`; if it stays, check the account and role of the profile.",
            "sso-denied",
        )
    return (
        f"AWS refused {operation}{facts.who} ({code}): {message}",
        "Check the role, its trust policy and the identity that assumes it.",
        "assume-role-denied" if operation.startswith("AssumeRole") else None,
    )


def _fill(text: str, facts: _Facts) -> str:
    return text.format(
        domain=facts.domain,
        error=_one_line(facts.error).rstrip("."),
        operation=getattr(facts.error, "operation_name", None),
        repository=facts.repository,
        wanted=facts.wanted,
        login=facts.login,
        profile=facts.profile or "default",
        region=facts.domain.region,
        who=facts.who,
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _stop(message: str) -> str:
    # The first sentence: what follows is general advice.
    text = " ".join(message.split()).partition(". ")[0]
    return text if not text or text.endswith(".") else f"{text}."
