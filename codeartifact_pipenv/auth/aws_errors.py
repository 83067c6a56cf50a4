"""From what botocore raises to one sentence, a next step and a cause: one table, read top down.

Classes are those of botocore.exceptions, codes those of "Common errors" in the CodeArtifact, STS
and IAM API references. Imported only after something failed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import botocore.exceptions
import botocore.session

from codeartifact_pipenv.errors import TokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.endpoint import Domain

_TOKEN = frozenset({"GetAuthorizationToken"})
_LISTING = frozenset({"DescribeRepository", "ListPackages", "ListPackageVersions"})
# What botocore calls to get credentials.
_SSO = frozenset({"GetRoleCredentials"})
_ROLE = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})
_LOGIN = frozenset({"CreateToken", "CreateOAuth2Token"})
_DENIED = ("AccessDeniedException", "AccessDenied")  # the second is IAM's
_THROTTLED = ("ThrottlingException", "TooManyRequestsException", "Throttling")
_MISSING = ("ResourceNotFoundException", "NoSuchEntity")
# Names that are not AWS's own, for what only the message or the region tells.
_ANY, _CLOCK, _BEARER, _NO_REGION = "any", "clock", "bearer token", "no region"


class Explanation(NamedTuple):
    """Why asking AWS failed.

    Attributes:
        sentence: what is wrong, without a secret in it.
        hint: what to do next.
        code: the cause's code; None for a failure without one.
    """

    sentence: str
    hint: str
    code: str | None


class _Cause(NamedTuple):
    """One row of the table.

    Attributes:
        code: the cause's code.
        errors: names of exception classes, codes or reasons of AWS's answers.
        sentence: with the placeholders of ``_texts``.
        hint: likewise.
        operations: the operations of AWS that it is for; None for all.
    """

    code: str | None
    errors: tuple[str, ...]
    sentence: str
    hint: str
    operations: frozenset[str] | None = None


_ASK_FOR_BOTH = (
    "Ask for codeartifact:GetAuthorizationToken on the domain and sts:GetServiceBearerToken on "
    "* in your identity's policy."
)
# Subclasses stand before their bases, and what is special before what is general.
_CAUSES = (
    _Cause(
        "no-credentials",
        ("NoCredentialsError",),
        "No AWS credentials were found{who}.",
        "Log in (`{login}`, or `aws configure sso` once before), or set AWS_PROFILE; in CI "
        "configure a role{or_token}.",
    ),
    _Cause(
        "partial-credentials",
        ("PartialCredentialsError",),
        "The AWS credentials{who} are incomplete: {error}.",
        "Set what is missing, or remove the other half.",
    ),
    _Cause(
        "unknown-profile",
        ("ProfileNotFound",),
        "There is no AWS profile named {profile}.",
        "See `aws configure list-profiles`; the name comes from --ca-profile, "
        "PIPENV_CA_PROFILE, a `profile` setting or AWS_PROFILE.",
    ),
    _Cause(
        "sso-never",
        ("SSOTokenLoadError",),
        "The AWS SSO login{who} was never made on this machine.",
        "Run `{login}` and try again.",
    ),
    _Cause(
        "sso-expired",
        ("UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"),
        "The AWS SSO login{who} has expired.",
        "Run `{login}` and try again.",
    ),
    _Cause(
        "login-expired",
        ("LoginRefreshRequired", "LoginTokenLoadError", "LoginError"),
        "The session of `aws login`{who} has expired or was never made.",
        "Run `aws login` and try again.",
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
        "credentials-source",
        ("CredentialRetrievalError", "MetadataRetrievalError"),
        "The AWS credentials{who} could not be retrieved: {error}.",
        "Check the source that it names; inside `docker build` a container's role is out of "
        "reach, so hand over a token in CODEARTIFACT_AUTH_TOKEN there.",
    ),
    _Cause(
        "aws-config",
        ("ConfigParseError", "ConfigNotFound"),
        "The AWS configuration cannot be read: {error}.",
        "Correct the file; `aws configure list` shows what the AWS CLI makes of it.",
    ),
    _Cause(
        "aws-config",
        ("InvalidConfigError",),
        "The AWS configuration{who} is not right: {error}.",
        "Correct it in ~/.aws/config.",
    ),
    _Cause(
        "tls-untrusted",
        ("SSLError",),
        "The TLS certificate of AWS in {region} is not trusted here: {error}.",
        "Behind a proxy of your company, name its CA bundle in AWS_CA_BUNDLE.",
    ),
    _Cause(
        "proxy-down",
        ("ProxyConnectionError",),
        "The proxy for AWS is not reached: {error}.",
        "Check HTTPS_PROXY and NO_PROXY.",
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
        ("ConnectionError", "HTTPClientError", "EndpointConnectionError"),
        "AWS CodeArtifact in {region} is not reached: {error}.",
        "Check the network, and that CodeArtifact exists in this region{or_ci_token}.",
    ),
    _Cause(
        "service-fault",
        ("ResponseParserError", "UnicodeDecodeError", "KeyError"),
        "AWS's answer to the request for {wanted} is broken off or garbled.",
        "Try again; if it stays, look at what stands between here and AWS, such as a proxy.",
    ),
    _Cause(
        "mfa-required",
        ("EOFError", "GetPassWarning"),
        "AWS asks for a second factor{who}, and there is no terminal to type it on.",
        "Run an `aws` command with this profile in a terminal first, such as "
        "`aws sts get-caller-identity`; its session is used for as long as it lives.",
    ),
    _Cause(
        "web-identity-missing",
        ("FileNotFoundError",),
        "The web identity token file {filename} does not exist.",
        "In GitHub Actions give the job `permissions: id-token: write` and use "
        "aws-actions/configure-aws-credentials; elsewhere check AWS_WEB_IDENTITY_TOKEN_FILE.",
    ),
    _Cause(
        "keys-expired",
        ("RuntimeError",),  # botocore has no class of its own for it
        "The AWS credentials{who} have expired.",
        "Log in again (`{login}`), or have their source renew them.",
    ),
    # What AWS answers: first about who asks...
    _Cause(
        "clock-wrong",
        (_CLOCK,),
        "The clock of this machine is wrong by more than 5 minutes; AWS says: {message}",
        "Set the clock (a virtual machine that was asleep needs its time synchronised).",
    ),
    _Cause(
        "keys-expired",
        ("ExpiredTokenException", "ExpiredToken"),
        "The AWS credentials{who} have expired.",
        "Log in again (`{login}`), or renew the keys in the environment.",
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
        None,
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
        None,
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
        None,
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
        None,
        ("BaseException",),
        "AWS could not be asked for {wanted}: {error}.",
        "Check that `aws sts get-caller-identity` works in this shell.",
    ),
)


def explain(
    error: BaseException,
    domain: Domain,
    profile: str | None,
    *,
    repository: str | None = None,
    token: bool = False,
) -> Explanation:
    """Say why asking AWS failed, and what to do.

    Args:
        error: what asking AWS may raise (``aws.ASKING_FAILS``).
        domain: what it was asked about.
        profile: the profile in force; None for the default one.
        repository: the repository whose packages were asked for; None for another question.
        token: whether a token was wanted, so that a ready one would help.
    """
    texts = _texts(error, domain, profile, repository, token=token)
    operation = str(texts["operation"])
    names = list(_names(error, domain.region))
    for cause in _CAUSES:
        if _fits(cause, names, operation, lists=repository is not None):
            return Explanation(
                cause.sentence.format(**texts), cause.hint.format(**texts), cause.code
            )
    raise AssertionError(names)  # the last row fits everything


def _fits(cause: _Cause, names: list[str], operation: str, *, lists: bool) -> bool:
    if cause.operations is not None and operation not in cause.operations:
        return False
    if cause.operations == _LISTING and not lists:
        return False
    return any(name in cause.errors for name in names)


def _names(error: BaseException, region: str) -> Iterator[str]:
    """Yield the names by which an error may stand in the table."""
    yield from (kind.__name__ for kind in type(error).__mro__)
    if _was_parsing(error):
        yield botocore.parsers.ResponseParserError.__name__
    if isinstance(error, botocore.exceptions.ClientError):
        yield _ANY
        message = _message(error)
        yield str(error.response.get("Error", {}).get("Code", ""))
        yield str(error.response.get("reason", ""))
        if "Signature expired" in message or "Signature not yet current" in message:
            yield _CLOCK
        if "GetServiceBearerToken" in message:
            yield _BEARER
    elif isinstance(
        error, (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
    ) and not has_codeartifact(region):
        yield _NO_REGION


def _was_parsing(error: BaseException) -> bool:
    """Whether botocore failed at the shape of an answer, by whatever error."""
    traced = error.__traceback__
    while traced is not None:
        if traced.tb_frame.f_globals.get("__name__") == botocore.parsers.__name__:
            return True
        traced = traced.tb_next
    return False


def _texts(
    error: BaseException,
    domain: Domain,
    profile: str | None,
    repository: str | None,
    *,
    token: bool,
) -> dict[str, object]:
    """Return what the placeholders of the table stand for."""
    refusal = error if isinstance(error, botocore.exceptions.ClientError) else None
    message = _message(refusal) if refusal else ""
    operation = str(refusal.operation_name) if refusal else ""
    asked = re.search(r"not authorized to perform: (\S+)(?: on resource: (\S+))?", message)
    packages = f"the packages of repository {repository} of {domain}"
    return {
        "action": asked[1] if asked else operation,
        "answer": refusal.response.get("Error", {}).get("Code", "") if refusal else "",
        "domain": domain,
        "error": " ".join(str(error).split()).rstrip(".") or type(error).__name__,
        "filename": getattr(error, "filename", None),
        "login": f"aws sso login --profile {profile}" if profile else "aws sso login",
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
    }


def _message(error: botocore.exceptions.ClientError) -> str:
    return " ".join(str(error.response.get("Error", {}).get("Message", "")).split())


def _first_sentence(message: str) -> str:
    # General advice follows it.
    text = message.partition(". ")[0]
    return text if not text or text.endswith(".") else f"{text}."


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
