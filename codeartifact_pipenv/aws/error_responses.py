"""Causes of AWS's error responses: about the credentials, a token, a repository, anything else.

The codes are those of "Common errors" in the CodeArtifact, STS and IAM API references.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.aws.failure import AwsErrorResponse

_EXPIRED = {"ExpiredTokenException", "ExpiredToken"}
_WEB_IDENTITY = {"InvalidIdentityToken", "IDPRejectedClaim", "IDPCommunicationError"}
_DENIED = {"AccessDeniedException", "AccessDenied"}  # the second is IAM's
_MISSING = {"ResourceNotFoundException", "NoSuchEntity"}
_THROTTLED = {"ThrottlingException", "TooManyRequestsException", "Throttling"}
_INVALID = {"ValidationException", "ValidationError", "MalformedPolicyDocument", "InvalidInput"}
_LISTING = {"DescribeRepository", "ListPackages", "ListPackageVersions"}
TRY_AGAIN = "Try again; if that does not help, "
HEALTH = "see the AWS Health Dashboard"
_REFUSED = "AWS refused {operation}{who} ({code}): {message}"
_TOKEN_DENIED = (
    "AWS denies a token for {domain}: {message}",
    "Ask for codeartifact:GetAuthorizationToken on the domain and sts:GetServiceBearerToken on "
    "* in your identity's policy.",
)
_ACTION_DENIED = "AWS denies {action}{on_resource}{who}."
_NOT_ACCEPTED = "AWS does not accept {operation} for {wanted}: {message}"


def _is_token(answer: AwsErrorResponse) -> bool:
    return answer.operation == "GetAuthorizationToken"


def _is_listing(answer: AwsErrorResponse) -> bool:
    return answer.operation in _LISTING and answer.repository is not None


def _coded(*codes: str) -> Callable[[AwsErrorResponse], bool]:
    return lambda f: f.code in codes


def _calling(*operations: str) -> Callable[[AwsErrorResponse], bool]:
    return lambda f: f.operation in operations


ERROR_RESPONSES: tuple[tuple[Callable[[AwsErrorResponse], object], str, str, str], ...] = (
    (
        lambda f: "Signature expired" in f.whole or "Signature not yet current" in f.whole,
        "clock-wrong",
        "The clock of this machine is wrong by more than 5 minutes; AWS says: {message}",
        "Set the clock (a virtual machine that was asleep needs its time synchronised).",
    ),
    (
        lambda f: f.operation == "AssumeRoleWithWebIdentity" and f.code in _EXPIRED | _WEB_IDENTITY,
        "web-identity-refused",
        "AWS does not accept the web identity token in {identity.path}: {message}",
        "Have it made again: it comes from {identity.setting}, and lives for minutes.",
    ),
    (
        _coded(*_EXPIRED),
        "keys-expired",
        "The AWS credentials{who} have expired.",
        "{settings.renewal}",
    ),
    (
        _coded(
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
        ),
        "keys-wrong",
        "AWS does not accept the credentials{who}: {message}",
        "Check the access key and its secret, and that the clock of this machine is right.",
    ),
    # Calls of botocore to get credentials.
    (
        _calling("GetRoleCredentials"),
        "sso-denied",
        "AWS SSO gives no credentials{who}: {message}",
        "Run `{settings.login}`; if that does not help, check the account and role of the profile.",
    ),
    (
        _calling("AssumeRole", "AssumeRoleWithWebIdentity"),
        "assume-role-denied",
        _REFUSED,
        "Check that the role exists, and that its trust policy allows this identity sts:{operation}.",
    ),
    (_calling("CreateToken", "CreateOAuth2Token"), "login-denied", _REFUSED, "{log_in}"),
    # Calls of this program.
    (
        lambda f: _is_token(f) and "GetServiceBearerToken" in f.whole,
        "bearer-denied",
        *_TOKEN_DENIED,
    ),
    (lambda f: _is_token(f) and f.code in _DENIED, "token-denied", *_TOKEN_DENIED),
    (
        lambda f: _is_token(f) and f.code in _MISSING,
        "domain-missing",
        "CodeArtifact domain {domain} was not found: {message}",
        "Check domain, account and region in the URL of the source.",
    ),
    (
        lambda f: _is_listing(f) and f.code in _DENIED,
        "list-denied",
        "AWS denies {operation} for repository {repository} of {domain}: {message}",
        "Ask for codeartifact:{operation} in your identity's policy; the read-only policy "
        "AWSCodeArtifactReadOnlyAccess has it.",
    ),
    (
        lambda f: _is_listing(f) and f.code in _MISSING,
        "repository-missing",
        "AWS does not find repository {repository} of {domain}: {message}",
        "Check domain, account, region and repository in the URL.",
    ),
    (
        lambda f: _is_token(f) and f.code in _THROTTLED,
        "throttled",
        "AWS is throttling token requests, even after several retries.",
        "Try again in a moment; a shared token in CODEARTIFACT_AUTH_TOKEN saves these calls.",
    ),
    (
        _coded(*_THROTTLED),
        "throttled",
        "AWS is throttling {operation}, even after several retries.",
        "Try again in a moment.",
    ),
    (
        _coded("AccessDenied"),
        "operation-denied",
        _ACTION_DENIED,
        "Ask for {action}; or print the policy, without --create, and hand it to somebody who may "
        "create it.",
    ),
    (
        _coded(*_DENIED),
        "operation-denied",
        _ACTION_DENIED,
        "Ask for {action} in your identity's policy: `pipenv-ca provision policy admin "
        "--domain {domain.name} --repository NAME` prints one for CodeArtifact. In another "
        "account's domain that domain's policy must allow it, too.",
    ),
    (
        _coded("ServiceQuotaExceededException", "LimitExceeded"),
        "quota-exceeded",
        "AWS refuses {operation}, because a quota is used up: {message}",
        "Delete unused resources or request a quota increase (Service Quotas in the AWS console).",
    ),
    (
        _coded("ConflictException", "EntityAlreadyExists"),
        "aws-conflict",
        "AWS refuses {operation}, because something else exists or has changed meanwhile: "
        "{message}",
        "Run the command again; it continues from the current state.",
    ),
    (
        _coded(*_MISSING),
        "aws-missing",
        "AWS does not find what {operation} is about: {message}",
        "Check the names, the account and the region.",
    ),
    (
        lambda f: f.response.get("reason") == "ENCRYPTION_KEY_ERROR",
        "key-unusable",
        "AWS cannot use the KMS key: {message}",
        "It must be a symmetric key of this region that is not in an external key store; your "
        "identity needs kms:DescribeKey and kms:CreateGrant on it.",
    ),
    (
        lambda f: _is_token(f) and f.code in _INVALID,
        "aws-invalid",
        _NOT_ACCEPTED,
        "Check the URL of the source and the --ca-duration setting.",
    ),
    (
        _coded(*_INVALID),
        "aws-invalid",
        _NOT_ACCEPTED,
        "Check the names and values that were given.",
    ),
    (
        lambda _: True,
        "service-fault",
        "AWS answered {operation} with {code}: {message}",
        f"{TRY_AGAIN}{HEALTH}.",
    ),
)
