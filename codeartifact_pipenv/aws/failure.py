"""A failure to get something from AWS, and the words in which the tables tell it."""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import Any, NamedTuple

import botocore
import botocore.session

from codeartifact_pipenv.aws import origin as aws_origin
from codeartifact_pipenv.aws.origin import CALL, ENVIRONMENT, LOGIN, ROLE, SSO, WEB, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from codeartifact_pipenv.aws.origin import AwsSettings, Origin
    from codeartifact_pipenv.endpoint import Domain

    # Condition, code, sentence and hint; the texts use names from WORDS.
    Row: TypeAlias = tuple[Callable[["AwsFailure"], object], str, str, str]

SERVICES = {
    ROLE: "AWS STS",
    WEB: "AWS STS",
    SSO: "the portal of AWS SSO",
    LOGIN: "AWS sign-in",
}
# The setting that an exception of botocore is about.
SETTINGS = {
    "InvalidDefaultsMode": "defaults_mode",
    "InvalidIMDSEndpointError": "ec2_metadata_service_endpoint",
    "InvalidIMDSEndpointModeError": "ec2_metadata_service_endpoint_mode",
    "InvalidMaxRetryAttemptsError": "max_attempts",
    "InvalidRetryModeError": "retry_mode",
    "InvalidSTSRegionalEndpointsConfigError": "sts_regional_endpoints",
}
# Raised by Python for malformed text.
GARBLED = ("ArithmeticError", "AttributeError", "LookupError", "TypeError", "ValueError")


def error_code(error: BaseException) -> str:
    """Return the code of AWS's error response; '' for any other error."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


class AwsFailure(NamedTuple):
    """A failure; the first six attributes are the arguments of ``errors.explain``.

    Attributes:
        error: the exception.
        domain: the domain that AWS was asked about.
        profile: the profile in force; or None for the default.
        repository: the repository whose packages were asked for, if any.
        token: whether a token was asked for.
        profile_from: the setting that named the profile.
        origin: where the exception was raised.
        settings: the AWS settings in force.
    """

    error: BaseException
    domain: Domain
    profile: str | None
    repository: str | None
    token: bool
    profile_from: str
    origin: Origin
    settings: AwsSettings

    def is_a(self, *kinds: str) -> bool:
        """Whether the error is of one of some classes; older botocores lack some of them."""
        return any(kind.__name__ in kinds for kind in type(self.error).__mro__)

    def is_garbled(self, source: str) -> bool:
        """Whether a file or an answer of a source of credentials could not be understood."""
        return self.source == source and self.is_a(*GARBLED, "OSError")

    @property
    def said(self) -> dict[str, Any]:
        """The values from which botocore made the error's text."""
        said = getattr(self.error, "kwargs", None)
        return said if isinstance(said, dict) else {}

    @property
    def source(self) -> str:
        """The source of credentials that failed, or CALL."""
        return self.origin.source

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of botocore in which the error was raised, the innermost last."""
        return self.origin.functions

    @property
    def has_no_expiry(self) -> bool:
        """Whether the time at which credentials end was not a time."""
        return self.is_a("ValueError", "TypeError", "AttributeError") and (
            self.source == ENVIRONMENT
            or not {"_expiry_datetime", "_parse_if_needed"}.isdisjoint(self.functions)
        )

    @property
    def malformed(self) -> ValueError | None:
        """The ValueError of a request that could not be sent."""
        inner = self.said.get("error")
        return inner if self.is_a("HTTPClientError") and isinstance(inner, ValueError) else None

    @property
    def malformed_in(self) -> set[str]:
        """The functions in which that was found."""
        return aws_origin.functions_of(self.malformed) if self.malformed else set()

    def text_of(self, template: str) -> str:
        """Fill a text of the tables in."""
        return template.format_map(_Words(self))


class AwsErrorResponse(AwsFailure):
    """An answer of AWS that refuses what was asked."""

    __slots__ = ()

    @property
    def response(self) -> dict[str, Any]:
        """The answer."""
        response: dict[str, Any] = self.error.response  # type: ignore[attr-defined]
        return response

    @property
    def operation(self) -> str:
        """The operation that was called."""
        return str(self.error.operation_name)  # type: ignore[attr-defined]

    @property
    def code(self) -> str:
        """AWS's code of the error."""
        return error_code(self.error)

    @property
    def whole(self) -> str:
        """AWS's message on one line."""
        return " ".join(str(self.response.get("Error", {}).get("Message", "")).split())


class _Words(dict[str, object]):
    """The words of a failure, made when a text needs them."""

    def __init__(self, failure: AwsFailure) -> None:
        super().__init__(f=failure)

    def __missing__(self, name: str) -> object:
        return WORDS[name](self["f"])


def has_codeartifact(region: str) -> bool:
    """Whether the installed botocore knows CodeArtifact in a region.

    It may be older than a region: use this to explain a failure, never to refuse a region.
    """
    known: list[str] = botocore.session.Session().get_available_regions("codeartifact")
    return region in known


def _because(f: AwsFailure) -> str:
    errors = (f.error, f.error.__context__)
    reason = next((each.strerror for each in errors if isinstance(each, OSError)), None)
    return f": {reason}" if reason else ""


def _error_text(f: AwsFailure) -> str:
    # Errors from outside botocore may quote keys or headers.
    if f.is_a("UnknownServiceError"):
        return f"it does not know the service {f.said.get('service_name')}"
    if f.is_a("BotoCoreError"):
        return quote(str(f.error)) or type(f.error).__name__
    return str(getattr(f.error, "strerror", None) or type(f.error).__name__)


def source_output(f: AwsFailure) -> str:
    """Return what a source of credentials said, without what botocore says before it."""
    return quote(re.sub(r"^.*metadata: ", "", str(f.said.get("error_msg", ""))))


def _wanted(f: AwsFailure) -> str:
    if f.repository:
        return f"the packages of repository {f.repository} of {f.domain}"
    if f.token:
        return f"a token of {f.domain}"
    return str(f.domain) if f.domain.name else "the caller's account"


def _service(f: AwsFailure) -> str:
    # Not every call goes to CodeArtifact.
    url = str(f.said.get("endpoint_url", ""))
    host = urllib.parse.urlsplit(url).hostname if "://" in url and "[" not in url else None
    region = re.search(r"\.([a-z]{2,}(?:-[a-z]+)+-\d)\.", host or "")
    named = SERVICES.get(f.source)
    if named is None and host and "codeartifact" not in host:
        return host
    return (named or "AWS CodeArtifact") + (f" in {region[1]}" if region else "")


def _and_region(f: AwsFailure) -> str:
    if f.source != CALL:
        return ""
    if _service(f).startswith("AWS "):
        return ", and that CodeArtifact exists in this region"
    return f", and {aws_origin.endpoint_setting()}"


def _seconds(f: AwsFailure) -> str:
    found = re.search(r"timeout=([\d.]+)", str(f.said.get("error")))
    return f" within {float(found[1]):g} seconds" if found else ""


def _disabled(_: AwsFailure) -> str:
    disabled = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    return " (AWS_EC2_METADATA_DISABLED excludes those of an instance)" if disabled else ""


def _data_path(_: AwsFailure) -> str:
    is_set = "AWS_DATA_PATH" in os.environ
    return f", and check {aws_origin.setting_names('data_path')}" if is_set else ""


def _setting(f: AwsFailure) -> str:
    logical = f.origin.setting or SETTINGS.get(type(f.error).__name__, "")
    return aws_origin.setting_names(logical)


def _container_token(_: AwsFailure) -> str:
    variable = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
    return f"{variable}_FILE" if f"{variable}_FILE" in os.environ else variable


def _or_role(f: AwsFailure) -> str:
    is_variable = f.source == WEB and "AWS_ROLE_ARN" in os.environ
    return " or AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME" if is_variable else ""


def _message(answer: AwsErrorResponse) -> str:
    first = answer.whole.partition(". ")[0].rstrip(".")  # general advice follows it
    return f"{first}." if first else ""


def _action(answer: AwsErrorResponse) -> str:
    found = re.search(r"not authorized to perform: (\S+)", answer.whole)
    return found[1] if found else answer.operation


def _on_resource(answer: AwsErrorResponse) -> str:
    found = re.search(r"not authorized to perform: \S+ on resource: (\S+)", answer.whole)
    return f" on {found[1]}" if found else ""


# By name, what a text may hold.
WORDS: dict[str, Callable[[Any], object]] = {
    "domain": lambda f: f.domain,
    "repository": lambda f: f.repository,
    "wanted": _wanted,
    "service": _service,
    "text": _error_text,
    "because": _because,
    "report": lambda f: quote(str(f.said.get("report", ""))),
    # identity
    "who": lambda f: f" with profile {f.profile}" if f.profile else "",
    "profile": lambda f: f.profile or "default",
    "profile_from": lambda f: f.profile_from,
    "option": lambda f: f.settings.option,
    "settings": lambda f: f.settings,
    "config": lambda f: f.settings.config,
    "bundle": lambda f: f.settings.bundle,
    "identity": lambda f: f.settings.identity,
    "identity_file": lambda f: (
        getattr(f.error, "filename", None)
        or f.origin.values.get("token_path")
        or f.settings.identity.path
    ),
    "or_role": _or_role,
    "container": lambda f: f.settings.container_variable,
    "container_token": _container_token,
    "file": lambda f: getattr(f.error, "filename", None),
    "program": lambda f: f.settings.program_of(f.origin),
    "output": source_output,
    "and_output": lambda f: f": {source_output(f)}" if source_output(f) else "",
    "missing": lambda f: f.said.get("cred_var", ""),
    "setting": _setting,
    "parsed": lambda f: f.said.get("path") or f.origin.values.get("path"),
    "parse_error": lambda f: aws_origin.parse_error(f.error),
    "botocore": lambda _: botocore.__version__,
    "data_path": _data_path,
    # the way to AWS
    "proxies": lambda _: aws_origin.proxy_variables(),
    "endpoint": lambda _: aws_origin.endpoint_setting(),
    "and_region": _and_region,
    "seconds": _seconds,
    # next steps
    "log_in": lambda f: f"Run `{f.settings.login}` and try again.",
    "disabled": _disabled,
    "or_token": lambda f: ", or pass a token in CODEARTIFACT_AUTH_TOKEN" if f.token else "",
    "in_ci": lambda f: (
        "; in CI without AWS, pass a token in CODEARTIFACT_AUTH_TOKEN" if f.token else ""
    ),
    # AWS's answer
    "operation": lambda f: f.operation,
    "code": lambda f: f.code,
    "message": _message,
    "action": _action,
    "on_resource": _on_resource,
}
