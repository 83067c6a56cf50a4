"""From botocore's exceptions to one sentence and a next step: one table, read top down.

Classes and codes are those of botocore.exceptions and of "Common errors" in the CodeArtifact
API reference. Imported only after something failed.
"""

from __future__ import annotations

import getpass
from typing import NamedTuple

import botocore.exceptions as aws

from codeartifact_pipenv.errors import TokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain


class _Facts(NamedTuple):
    """What the texts below may speak of."""

    error: BaseException
    domain: Domain
    profile: str | None

    @property
    def login(self) -> str:
        return f"aws sso login --profile {self.profile}" if self.profile else "aws sso login"

    @property
    def who(self) -> str:
        return f" with profile {self.profile}" if self.profile else ""


def explain(error: BaseException, domain: Domain, profile: str | None) -> TokenError:
    """Turn what botocore raised into an error that says what to do.

    Args:
        error: a BotoCoreError, ClientError, OSError or EOFError.
        domain: what a token was asked for.
        profile: the profile in force; None for the default one.
    """
    facts = _Facts(error, domain, profile)
    if isinstance(error, aws.ClientError):
        return TokenError(*_refusal(facts, error))
    for classes, sentence, hint in _CAUSES:
        if isinstance(error, tuple(getattr(aws, name, ()) or () for name in classes) or ()):
            return TokenError(_fill(sentence, facts), _fill(hint, facts))
    if isinstance(error, RuntimeError):  # botocore has no class of its own for it
        return TokenError(
            f"The AWS credentials{facts.who} have expired.",
            f"Log in again (`{facts.login}`), or have their source renew them.",
        )
    if isinstance(error, (EOFError, getpass.GetPassWarning)):
        return TokenError(
            f"AWS asks for a second factor{facts.who}, and there is no terminal to type it on.",
            "Run an `aws` command with this profile in a terminal first, such as "
            "`aws sts get-caller-identity`; its session is used for as long as it lives.",
        )
    if isinstance(error, FileNotFoundError):
        return TokenError(
            f"The web identity token file {error.filename} does not exist.",
            "In GitHub Actions give the job `permissions: id-token: write` and use "
            "aws-actions/configure-aws-credentials; elsewhere check AWS_WEB_IDENTITY_TOKEN_FILE.",
        )
    return TokenError(
        f"AWS could not be asked for a token of {domain}: {_one_line(error)}.",
        "Check that `aws sts get-caller-identity` works in this shell.",
    )


# Subclasses stand before their bases.
_CAUSES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("NoCredentialsError",),
        "No AWS credentials were found{who}.",
        "Log in (`{login}`, or `aws configure sso` once before), or set AWS_PROFILE; in CI "
        "configure a role, or hand over a ready token in CODEARTIFACT_AUTH_TOKEN.",
    ),
    (
        ("PartialCredentialsError",),
        "The AWS credentials{who} are incomplete: {error}.",
        "Set what is missing, or remove the other half.",
    ),
    (
        ("ProfileNotFound",),
        "There is no AWS profile named {profile}.",
        "See `aws configure list-profiles`; the name comes from --ca-profile, "
        "PIPENV_CA_PROFILE, a `profile` setting or AWS_PROFILE.",
    ),
    (
        ("UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError", "SSOError"),
        "The AWS SSO login{who} has expired or was never made.",
        "Run `{login}` and try again.",
    ),
    (
        ("LoginRefreshRequired", "LoginTokenLoadError", "LoginError"),
        "The session of `aws login`{who} has expired or was never made.",
        "Run `aws login` and try again.",
    ),
    (
        ("MissingDependencyException",),
        "This kind of AWS login needs a library that is not installed: {error}.",
        "Install `botocore[crt]` beside codeartifact-pipenv.",
    ),
    (
        ("RefreshWithMFAUnsupportedError",),
        "The AWS session{who} has ended and its second factor must be given again.",
        "Run the command again.",
    ),
    (
        ("CredentialRetrievalError", "MetadataRetrievalError"),
        "The AWS credentials{who} could not be retrieved: {error}.",
        "Check the source that it names; inside `docker build` a container's role is out of "
        "reach, so hand over a token in CODEARTIFACT_AUTH_TOKEN there.",
    ),
    (
        ("ConfigParseError", "ConfigNotFound"),
        "The AWS configuration cannot be read: {error}.",
        "Correct the file; `aws configure list` shows what the AWS CLI makes of it.",
    ),
    (
        ("InvalidConfigError",),
        "The AWS configuration{who} is not right: {error}.",
        "Correct it in ~/.aws/config.",
    ),
    (
        ("SSLError",),
        "The TLS certificate of AWS in {region} is not trusted here: {error}.",
        "Behind a proxy of your company, name its CA bundle in AWS_CA_BUNDLE.",
    ),
    (
        ("ProxyConnectionError",),
        "The proxy for AWS is not reached: {error}.",
        "Check HTTPS_PROXY and NO_PROXY.",
    ),
    (
        ("ConnectionError", "HTTPClientError", "EndpointConnectionError"),
        "AWS CodeArtifact in {region} is not reached: {error}.",
        "Check the network, and that CodeArtifact exists in this region; in CI without AWS, "
        "hand over a token in CODEARTIFACT_AUTH_TOKEN.",
    ),
)


def _refusal(facts: _Facts, error: aws.ClientError) -> tuple[str, str]:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = _stop(str(error.response.get("Error", {}).get("Message", "")))
    operation = error.operation_name
    if operation != "GetAuthorizationToken":
        return _login_refusal(facts, operation, code, message)
    if code in {"AccessDeniedException", "AccessDenied"}:
        return (
            f"AWS denies a token for {facts.domain}: {message}",
            "Ask for codeartifact:GetAuthorizationToken on the domain and "
            "sts:GetServiceBearerToken on * in your identity's policy; if the policy limits "
            "how long tokens live, set --ca-duration.",
        )
    if code == "ResourceNotFoundException":
        return (
            f"There is no CodeArtifact domain {facts.domain}: {message}",
            "Check domain, account and region in the URL of the source.",
        )
    if code in {"ExpiredTokenException", "ExpiredToken"}:
        return (
            f"The AWS credentials{facts.who} have expired.",
            f"Log in again (`{facts.login}`), or renew the keys in the environment.",
        )
    if code in {"UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId"}:
        return (
            f"AWS does not accept the credentials{facts.who}: {message}",
            "Check the access key and its secret, and that the clock of this machine is right.",
        )
    if code in {"ThrottlingException", "TooManyRequestsException"}:
        return (
            "AWS limits how many tokens may be asked for at once, also after several tries.",
            "Try again in a moment; a shared token in CODEARTIFACT_AUTH_TOKEN spares the calls.",
        )
    if code == "ValidationException":
        return (
            f"AWS does not accept the request for a token of {facts.domain}: {message}",
            "Check the URL of the source and the --ca-duration setting.",
        )
    return (
        f"AWS answered the request for a token of {facts.domain} with {code}: {message}",
        "Try again; if it stays, see the AWS Health Dashboard.",
    )


def _login_refusal(facts: _Facts, operation: str, code: str, message: str) -> tuple[str, str]:
    if operation == "GetRoleCredentials":
        return (
            f"AWS SSO gives no credentials{facts.who}: {message}",
            f"Run `{facts.login}`; if it stays, check the account and role of the profile.",
        )
    return (
        f"AWS refused {operation}{facts.who} ({code}): {message}",
        "Check the role, its trust policy and the identity that assumes it.",
    )


def _fill(text: str, facts: _Facts) -> str:
    return text.format(
        error=_one_line(facts.error).rstrip("."),
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
