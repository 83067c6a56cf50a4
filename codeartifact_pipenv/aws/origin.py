"""Where in botocore an error was raised, and which AWS settings are in force there.

One class of exception has many causes: a FileNotFoundError is a missing identity file, a
credential process that does not exist or a CA bundle. The frames of its traceback say which
source of credentials was asked. Imported only after something failed.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import traceback
from typing import NamedTuple

import botocore.configloader
import botocore.configprovider
import botocore.exceptions

from codeartifact_pipenv.files.io import ini_trouble
from codeartifact_pipenv.terminal.redact import MASK, redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

# botocore's own names of its sources (METHOD of its providers, ``method`` of credentials).
ENVIRONMENT, FILE, PROCESS = "env", "shared-credentials-file", "custom-process"
SSO, LOGIN, ROLE = "sso", "login", "assume-role"
WEB, CONTAINER, INSTANCE = "assume-role-with-web-identity", "container-role", "iam-role"
# The call itself, and any source of credentials that is not known here.
CALL, OTHER = "", "another source"
_HELPERS = {
    "AssumeRoleCredentialFetcher": ROLE,
    "AssumeRoleWithWebIdentityCredentialFetcher": WEB,
    "ContainerMetadataFetcher": CONTAINER,
    "FileWebIdentityTokenLoader": WEB,
    "IMDSFetcher": INSTANCE,
    "InstanceMetadataFetcher": INSTANCE,
    "LoginCredentialFetcher": LOGIN,
    "LoginTokenLoader": LOGIN,
    "SSOCredentialFetcher": SSO,
    "SSOTokenLoader": SSO,
}
_CONTAINER_URIS = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_QUOTED = 300


class NamedFile(NamedTuple):
    """A file that a setting names.

    Attributes:
        setting: the setting.
        path: the file; empty if it is not set.
    """

    setting: str
    path: object


class Origin(NamedTuple):
    """Where an error was raised.

    Attributes:
        source: the source of credentials that was asked; CALL for the call itself.
        functions: the names of botocore's functions on the way, the innermost last.
        values: local variables of these, the innermost one's where several share a name.
        was_parsing: whether the shape of an answer was being read, whatever was raised there.
    """

    source: str
    functions: tuple[str, ...]
    values: Mapping[str, object]
    was_parsing: bool

    @property
    def setting(self) -> str | None:
        """Botocore's name of the setting that was being read."""
        name = self.values.get("logical_name")
        return str(name) if "get_config_variable" in self.functions[-6:] and name else None


def find_origin(error: BaseException) -> Origin:
    """Say where in botocore an error was raised."""
    source, functions, was_parsing = CALL, [], False
    values: dict[str, object] = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith("botocore."):
            continue
        functions.append(frame.f_code.co_name)
        values |= frame.f_locals
        was_parsing |= module == "botocore.parsers"
        found = _source(frame)
        if found is not None:
            source = found
        elif source == CALL and module in {"botocore.credentials", "botocore.tokens"}:
            source = OTHER
    return Origin(source, tuple(functions), values, was_parsing)


def _source(frame: FrameType) -> str | None:
    owner = frame.f_locals.get("self")
    if type(owner).__module__.startswith("botocore."):
        for kind in type(owner).__mro__:
            if kind.__name__ in _HELPERS:
                return _HELPERS[kind.__name__]
        for name in ("METHOD", "method"):
            method = getattr(owner, name, None)
            if isinstance(method, str) and frame.f_globals["__name__"] in {
                "botocore.credentials",
                "botocore.tokens",
            }:
                return method
    return None


def functions_of(error: BaseException) -> set[str]:
    """Return the names of all functions on the way to an error, botocore's and others'."""
    return {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}


class AwsSettings:
    """The AWS settings of a profile, from environment and files.

    Args:
        profile: the profile in force, or None for the default.
    """

    def __init__(self, profile: str | None) -> None:
        self._name = profile or "default"
        # botocore leaves the environment's keys aside where a profile is named to it.
        self._chosen = profile is not None and profile != profile_in_environment()
        self.config = aws_file("AWS_CONFIG_FILE")
        self.credentials = aws_file("AWS_SHARED_CREDENTIALS_FILE")
        self.sections: Mapping[str, Mapping[str, object]] = _parsed(self.config)
        keys = _parsed(self.credentials).get(self._name, {})
        self.profile = {**self._section(), **keys}

    def _section(self) -> Mapping[str, object]:
        try:
            found = botocore.configloader.build_profile_map(self.sections)
        except (ValueError, TypeError, AttributeError):
            return {}
        section: Mapping[str, object] = found["profiles"].get(self._name, {})
        return section

    @property
    def source(self) -> str:
        """The source of credentials that botocore takes; OTHER where nothing names one."""
        has, environ = self.profile, os.environ
        if environ.get(_KEYS[0]) and not self._chosen:
            return ENVIRONMENT
        if "role_arn" in has and ("source_profile" in has or "credential_source" in has):
            return ROLE
        if self.identity.path is not None:
            return WEB
        for mark, source in (
            ("sso_", SSO),
            ("aws_access_key_id", FILE),
            ("login_session", LOGIN),
            ("credential_process", PROCESS),
        ):
            if any(key.startswith(mark) for key in has):
                return source
        return CONTAINER if self.container_variable else OTHER

    @property
    def container_variable(self) -> str | None:
        """The variable that names where a container has its credentials."""
        return next((name for name in _CONTAINER_URIS if name in os.environ), None)

    def program_of(self, origin: Origin) -> str:
        """The program of ``credential_process``, without its arguments, which may be secret."""
        command = origin.values.get("credential_process") or self.profile.get("credential_process")
        return _first_word(str(command or ""))

    @property
    def identity(self) -> NamedFile:
        """The web identity token file."""
        key, variable = "web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE"
        if os.environ.get(variable) and not self._chosen:
            return NamedFile(variable, os.environ[variable])
        setting = f"{key} of profile {self._name} in {self.config}"
        return NamedFile(setting, self.profile.get(key))

    @property
    def bundle(self) -> NamedFile:
        """The CA bundle in force."""
        for name, value in (
            ("AWS_CA_BUNDLE", os.environ.get("AWS_CA_BUNDLE")),
            (f"ca_bundle in {self.config}", self.profile.get("ca_bundle")),
            ("REQUESTS_CA_BUNDLE", os.environ.get("REQUESTS_CA_BUNDLE")),
        ):
            if value:
                return NamedFile(name, os.path.expanduser(str(value)))
        return NamedFile("", "")

    @property
    def rewriting(self) -> str:
        """How keys are set again that hold something wrong."""
        rule = "without quotation marks, spaces or line breaks"
        if self.source == ENVIRONMENT:
            names = [name for name in (*_KEYS, "AWS_SESSION_TOKEN") if os.environ.get(name)]
            return f"Export {', '.join(names)} again, {rule}."
        if self.source == FILE:
            return f"Write the keys of profile {self._name} in {self.credentials} again, {rule}."
        return f"Have the source of the keys give them {rule}."

    @property
    def lacks(self) -> str | None:
        """The setting that a half-configured source lacks."""
        for name, partner in (
            ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
            ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"),
            ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ):
            if os.environ.get(name) and not os.environ.get(partner) and not self._chosen:
                return f"{name} is set and {partner} is not"
        for key, partners in (
            ("aws_secret_access_key", ("aws_access_key_id",)),
            ("sso_session", ("sso_account_id", "sso_role_name")),
            ("sso_start_url", ("sso_account_id", "sso_role_name")),
            ("source_profile", ("role_arn",)),
            ("credential_source", ("role_arn",)),
        ):
            missing = [each for each in partners if each not in self.profile]
            if key in self.profile and missing:
                return f"profile {self._name} has {key} and lacks {' and '.join(missing)}"
        return None

    @property
    def unread(self) -> str | None:
        """Which of AWS's files botocore passes over, though it is named or there."""
        for variable, path in (
            ("AWS_CONFIG_FILE", self.config),
            ("AWS_SHARED_CREDENTIALS_FILE", self.credentials),
        ):
            named = f", which {variable} names," if os.environ.get(variable) else ""
            if os.path.isdir(path):
                return f"{path}{named} is a directory"
            if not os.path.exists(path):
                if named:
                    return f"{path}{named} does not exist"
            elif not os.access(path, os.R_OK):
                return f"{path}{named} may not be read"
        return None

    @property
    def misnamed(self) -> bool:
        """Whether the configuration file has a section of the name without the word profile."""
        return self._name in self.sections

    @property
    def login(self) -> str:
        """The command that logs in again."""
        base = self._base()
        program = "aws login" if base.source == LOGIN else "aws sso login"
        return program + base.option

    @property
    def option(self) -> str:
        """The AWS CLI's option for this profile, ready for a shell; '' if it takes it anyway."""
        is_taken = self._name == "default" and not profile_in_environment()
        return "" if is_taken else f" --profile {shlex.quote(self._name)}"

    def _base(self) -> AwsSettings:
        """Return the settings of the profile that roles begin with, by ``source_profile``."""
        base, names = self, {self._name}
        while (name := base.profile.get("source_profile")) and name not in names:
            names.add(str(name))
            base = AwsSettings(str(name))
        return base

    @property
    def renewal(self) -> str:
        """The next step for expired credentials."""
        if self.source in {SSO, LOGIN}:
            return f"Run `{self.login}` and try again."
        if self.source == ENVIRONMENT:
            return (
                "Export new keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), "
                "or unset these variables to use a profile."
            )
        if self.source == FILE:
            return f"Put new keys of profile {self._name} into {self.credentials}."
        if self.source == PROCESS:
            return f"Have {_first_word(str(self.profile['credential_process']))} give new ones: it is credential_process in {self.config}."
        return "Have their source renew them, then try again."


def profile_in_environment() -> str | None:
    """Return the profile that the environment names, or None for the default."""
    return os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE")


def profile_origin(profile: str | None) -> str:
    """Return the setting that probably named a profile."""
    for name in ("PIPENV_CA_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
        if os.environ.get(name) == (profile or ""):
            return name
    return "the `profile` setting"


def aws_file(variable: str) -> str:
    """Return the path of one of AWS's two files, as botocore reads it."""
    usual = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
    path = os.environ.get(variable) or f"~/.aws/{usual[variable]}"
    return os.path.expanduser(os.path.expandvars(path))


def _parsed(path: str) -> Mapping[str, Mapping[str, object]]:
    try:
        found: Mapping[str, Mapping[str, object]] = botocore.configloader.raw_config_parse(path)
    except (botocore.exceptions.BotoCoreError, OSError, ValueError):
        return {}
    return found


def _first_word(command: str) -> str:
    import shlex

    try:
        words = shlex.split(command, posix=sys.platform != "win32")
    except ValueError:
        words = command.split()
    return words[0] if words else "nothing"


def setting_names(logical: str) -> str:
    """Say by which name a setting of botocore is set here: a variable, or a key of the file."""
    known = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    key, variables = (known.get(logical) or (logical, None))[:2]
    for name in [variables] if isinstance(variables, str) else variables or ():
        if name in os.environ:
            return str(name)
    return f"{key or logical} in {aws_file('AWS_CONFIG_FILE')}"


def endpoint_setting() -> str:
    """Say what has set the address of a service."""
    named = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    return " or ".join(named) or f"endpoint_url in {aws_file('AWS_CONFIG_FILE')}"


def proxy_variables() -> str:
    """Name the variables that set a proxy here."""
    return " or ".join(name for name in _PROXIES if os.environ.get(name)) or "HTTPS_PROXY"


def parse_error(error: BaseException) -> str:
    """Say what is wrong with a configuration file, without quoting a line of it."""
    inner = getattr(error, "kwargs", {}).get("error", error)
    return "it is not UTF-8 text" if isinstance(inner, UnicodeError) else ini_trouble(inner)


def quote(text: str) -> str:
    """Return the first line of a text that others wrote, with all that may be a secret masked."""
    line = next((" ".join(each.split()) for each in text.splitlines() if each.strip()), "")
    line = re.sub(
        r"(?i)((?:secret|token|password|passwd|access_?key)\w*[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+",
        rf"\g<1>{MASK}",
        redact(line),
    )
    line = re.sub(r"[A-Za-z0-9+/=_-]{16,}", _mask_mixed, line)
    return (line if len(line) <= _QUOTED else f"{line[:_QUOTED]}...").rstrip(".")


def _mask_mixed(match: re.Match[str]) -> str:
    # Keys have capitals, small letters and digits, or are an id such as AKIA...
    run = match[0]
    mixed = all(re.search(kind, run) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
    return MASK if mixed or re.match("A[A-Z]IA[A-Z0-9]{12}", run) else run
