"""Every setting of this program, once; and the command line, which sets them by options.

A setting ``name`` is the option ``--ca-name``, the variable ``PIPENV_CA_NAME`` and the key
``name`` in ``[tool.codeartifact-pipenv]`` of the project's pyproject.toml or at the top of
the user's own config.toml; in that order of strength. A table ``[domains."NAME-OWNER"]`` in the
user's own file sets profile and role for one domain, and is stronger than the project. A cloned
project is not trusted to run code or to choose accounts: what is marked ``personal`` is not read
from the project.

The module is loaded by every command, so it imports little; TOML is read only where a file exists.
"""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.files.io import load_toml_bytes, read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.endpoint import Domain

PROGRAM = "codeartifact-pipenv"
_PREFIX = "PIPENV_CA_"
# Where the user's own file is, and what the sandbox sets for the programs below it.
_OTHER_VARIABLES = ("PIPENV_CA_CONFIG", "PIPENV_CA_SANDBOX_URL")
TOKEN_VARIABLE = "CODEARTIFACT_AUTH_TOKEN"  # noqa: S105 - a variable's name
MAXIMUM_DURATION = 43200
MINIMUM_DURATION = 900
# The table of the user's own file with settings for single domains, and which those are.
_DOMAINS = "domains"
DOMAIN_SETTINGS = ("profile", "role")


class Setting:
    """One setting: its name (words joined by ``-``), how its text is read, what it is for."""

    __slots__ = ("help", "metavar", "name", "personal", "read")

    def __init__(
        self,
        name: str,
        read: Callable[[object], object],
        metavar: str,
        help_text: str,
        *,
        personal: bool = False,
    ) -> None:
        self.name = name
        self.read = read
        self.metavar = metavar
        self.help = help_text
        self.personal = personal

    @property
    def option(self) -> str:
        """The command line's spelling."""
        return f"--ca-{self.name}"

    @property
    def variable(self) -> str:
        """The environment's spelling."""
        return f"{_PREFIX}{self.name.replace('-', '_').upper()}"

    @property
    def is_flag(self) -> bool:
        """Whether the option stands alone, without a value."""
        return self.read is _flag


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError("a text")


def _path(value: object) -> str:
    return os.path.expanduser(_text(value))


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False, "": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError("true or false")


def _duration(value: object) -> int:
    expected = f"0 or {MINIMUM_DURATION} to {MAXIMUM_DURATION} seconds"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(expected)  # noqa: TRY004 - the caller turns it into one sentence
    try:
        seconds = int(value)
    except ValueError:
        raise ValueError(expected) from None
    if seconds == 0 or MINIMUM_DURATION <= seconds <= MAXIMUM_DURATION:
        return seconds
    raise ValueError(expected)


def _route(value: object) -> str:
    routes = {"loopback": "loopback", "proxy": "loopback"}
    routes |= {"as-written": "as-written", "direct": "as-written"}
    if isinstance(value, str) and value in routes:
        return routes[value]
    raise ValueError("loopback or as-written")


def _is_account(value: object) -> bool:
    return isinstance(value, str) and len(value) == 12 and value.isdecimal()  # noqa: PLR2004 - digits of an account


def _accounts(value: object) -> tuple[str, ...]:
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(items, list) and all(map(_is_account, items)):
        return tuple(items)
    raise ValueError("account numbers of 12 digits, separated by commas")


def _role(value: object) -> str:
    head, _, name = value.partition(":role/") if isinstance(value, str) else ("", "", "")
    parts = head.split(":")
    is_role = parts[:1] + parts[2:-1] == ["arn", "iam", ""] and parts[1].startswith("aws")
    is_name = name.isascii() and all(letter.isalnum() or letter in "+=,.@_-/" for letter in name)
    if is_role and is_name and name and _is_account(parts[-1]):
        return f"{head}:role/{name}"
    raise ValueError("the ARN of an IAM role, such as arn:aws:iam::123456789012:role/NAME")


def _words(value: object) -> tuple[str, ...]:
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(items, list) and all(isinstance(item, str) and item.strip() for item in items):
        return tuple(item.strip() for item in items)
    raise ValueError("a list of texts, or a text with commas")


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("profile", _text, "NAME", "AWS profile to use"),
        Setting(
            "role",
            _role,
            "ARN",
            "IAM role to assume, with the credentials of the profile or the environment",
            personal=True,
        ),
        Setting(
            "duration",
            _duration,
            "SECONDS",
            "lifetime of a new token: 900 to 43200, or 0 for that of the role's session",
        ),
        Setting("refresh", _flag, "", "get a new token, even if one is inherited or cached"),
        Setting("verbose", _flag, "", "explain on stderr what is done"),
        Setting(
            "route",
            _route,
            "ROUTE",
            "how pipenv sees the sources: loopback, or as-written (default: as each command needs)",
        ),
        Setting("fallback", _flag, "", "install by pip what pipenv cannot resolve, then lock"),
        Setting("run-token", _flag, "", "give the token to every `run` and `shell`, not only pip"),
        Setting(
            "private-packages",
            _words,
            "NAMES",
            "packages that only CodeArtifact may serve; `acme-*` for all with this prefix",
        ),
        Setting("lint-ignore", _words, "CODES", "findings that lint leaves out"),
        Setting("pipenv", _path, "PATH", "the pipenv to run", personal=True),
        Setting(
            "keyring-backend",
            _text,
            "CLASS",
            "another keyring backend to ask for the token, as module.Class",
            personal=True,
        ),
        Setting(
            "allowed-owners",
            _accounts,
            "ACCOUNTS",
            "accounts whose domains may be used",
            personal=True,
        ),
        Setting("no-cache", _flag, "", "neither read nor write the token cache", personal=True),
        Setting("cache-dir", _path, "DIR", "directory of the token cache", personal=True),
    )
}


class Settings:
    """The values in force, strongest layer first.

    Values are read on demand, so that a command pays only for what it asks.
    """

    def __init__(self, options: Mapping[str, str | bool], environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        self._project: tuple[str, Mapping[str, object]] = ("", {})
        self._user: tuple[str, Mapping[str, Any]] | None = None

    def read_project(self, directory: str) -> None:
        """Take the project's part from ``pyproject.toml`` in a directory, if it exists.

        Raises:
            ConfigurationError: the table has a key that is not allowed, or is not a table; or the file
                cannot be read, and names this program.
        """
        self._project = ("", {})
        path = os.path.join(directory, "pyproject.toml")
        if not os.path.isfile(path):
            return
        # It is other tools' business too, and they say what is wrong with it.
        document = _load_toml(path, naming=PROGRAM.encode())
        tool = document.get("tool")
        table = tool.get(PROGRAM, {}) if isinstance(tool, dict) else {}
        self._project = (path, _checked_table(table, path, personal=False))

    def text(self, name: str, domain: Domain | None = None) -> str | None:
        """Return a text or path setting, for a domain or in general, or None if unset."""
        value = self.value(name, domain)
        return value if isinstance(value, str) else None

    def origin(self, name: str, domain: Domain | None = None) -> str | None:
        """Return what sets a setting, such as ``--ca-profile``, or None if unset."""
        return next((origin for _, origin in self._candidates(SETTINGS[name], domain)), None)

    def domains(self) -> list[Domain]:
        """Return the domains with a settings table, each with an empty region.

        Raises:
            ConfigurationError: the user's own file is not right.
        """
        from codeartifact_pipenv.endpoint import Domain

        found = (key.rpartition("-") for key in self._user_file()[1].get(_DOMAINS, {}))
        return [Domain(name, owner, "") for name, _, owner in found]

    def flag(self, name: str) -> bool:
        """Return a yes-or-no setting; unset means no."""
        return self.value(name) is True

    def seconds(self, name: str, default: int) -> int:
        """Return a number of seconds."""
        value = self.value(name)
        return value if isinstance(value, int) else default

    def accounts(self, name: str) -> tuple[str, ...] | None:
        """Return account numbers, or None if they are not limited."""
        value = self.value(name)
        return value if isinstance(value, tuple) else None

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty if unset."""
        value = self.value(name)
        return value if isinstance(value, tuple) else ()

    def option_arguments(self) -> list[str]:
        """Return this command line's own options, to pass to a child process."""
        return [
            SETTINGS[name].option + ("" if value is True else f"={value}")
            for name, value in self._options.items()
        ]

    def unknown_variables(self) -> list[str]:
        """Return a sentence for each variable that looks like a setting's and is not one."""
        known = {*_OTHER_VARIABLES, *(setting.variable for setting in SETTINGS.values())}
        found = [n for n in self._environ if n.startswith(_PREFIX) and n not in known]
        if not found:
            return []
        import difflib

        sentences = []
        for name in sorted(found):
            endings = sorted(each.removeprefix(_PREFIX) for each in known)
            near = difflib.get_close_matches(name.removeprefix(_PREFIX), endings, n=1)
            meant = f"did you mean {_PREFIX}{near[0]}?" if near else "see `pipenv-ca --ca-help`."
            sentences.append(f"{name} is not a setting, and has no effect; {meant}")
        return sentences

    def state_directory(self) -> str | None:
        """Return the folder of cached tokens, or None without a home directory."""
        return self.text("cache-dir") or default_cache_dir(self._environ) or None

    def value(self, name: str, domain: Domain | None = None) -> object:
        """Return a setting's value, as its rule reads it, or None if it is not set.

        Args:
            name: the setting's name.
            domain: the domain to read it for, or None for any.

        Raises:
            ConfigurationError: it is not allowed.
        """
        setting = SETTINGS[name]
        for value, origin in self._candidates(setting, domain):
            try:
                return setting.read(value)
            except ValueError as error:
                from codeartifact_pipenv.errors import ConfigurationError

                raise ConfigurationError(
                    f"{origin} must be {error}, and it is {value!r}.",
                    f"Correct it; {setting.name} is: {setting.help}.",
                ) from None
        return None

    def _candidates(self, setting: Setting, domain: Domain | None) -> Iterator[tuple[object, str]]:
        """Yield each value that a setting is given, the strongest first, and what gives it."""
        if setting.name in self._options:
            yield self._options[setting.name], setting.option
            return
        # An empty variable counts as unset, as in the AWS CLI and pip.
        if self._environ.get(setting.variable):
            yield self._environ[setting.variable], setting.variable
            return
        path, user = self._user_file()
        key = f"{domain.name}-{domain.owner}" if domain else ""
        of_domain = (f'[{_DOMAINS}."{key}"] of {path}', user.get(_DOMAINS, {}).get(key, {}))
        for place, table in (of_domain, self._project, (path, user)):
            if setting.name in table:
                yield table[setting.name], f"{setting.name} in {place}"

    def _user_file(self) -> tuple[str, Mapping[str, Any]]:
        if self._user is None:
            path = user_config_path(self._environ)
            self._user = (path, {})
            if path and (os.path.isfile(path) or self._environ.get("PIPENV_CA_CONFIG")):
                self._user = (path, _checked_table(_load_toml(path), path, personal=True))
        return self._user


def variable_name(name: str) -> str:
    """Return a variable's name as the environment has it: Windows knows upper case only."""
    return name.upper() if sys.platform == "win32" else name


def user_config_path(environ: Mapping[str, str]) -> str:
    """Return where the user's own configuration is: ``PIPENV_CA_CONFIG``, else config.toml."""
    return environ.get("PIPENV_CA_CONFIG") or _user_dir(
        environ, "XDG_CONFIG_HOME", ".config", "config.toml"
    )


def default_cache_dir(environ: Mapping[str, str]) -> str:
    """Return where tokens are kept unless a setting says otherwise; '' without any home."""
    return _user_dir(environ, "XDG_CACHE_HOME", ".cache")


def default_state_dir(environ: Mapping[str, str]) -> str:
    """Return the folder of data that must survive a cache clean-up; '' without any home."""
    return _user_dir(environ, "XDG_STATE_HOME", os.path.join(".local", "state"))


def _user_dir(environ: Mapping[str, str], variable: str, below_home: str, *names: str) -> str:
    # The XDG base directory rules on every POSIX system, as other command-line tools have
    # them on macOS too. platformdirs would cost 20 ms per command.
    base = environ.get("LOCALAPPDATA" if sys.platform == "win32" else variable, "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        # With an empty HOME it would be the root of the file system.
        if not os.path.isabs(home) or environ.get("HOME") == "":
            return ""
        base = os.path.join(home, below_home)
    return os.path.join(base, PROGRAM, *names)


def _load_toml(path: str, *, naming: bytes = b"") -> dict[str, object]:
    """Read a TOML file; one that cannot be read and does not name something is empty."""
    from codeartifact_pipenv.errors import ConfigurationError

    data = naming
    try:
        data = read_bytes(path)
        return load_toml_bytes(data)
    except (OSError, ValueError) as error:
        if naming not in data:
            return {}
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{path} cannot be read: {reason}.", "Correct or remove it."
        ) from None


def _checked_table(table: object, path: str, *, personal: bool) -> Mapping[str, object]:
    from codeartifact_pipenv.errors import ConfigurationError

    if not isinstance(table, dict):
        raise ConfigurationError(
            f"[tool.{PROGRAM}] in {path} is not a table.",
            "Write settings as `name = value` below it.",
        )
    for name in table:
        if name == _DOMAINS and personal:
            _check_domains(table[name], path)
        elif name not in {_DOMAINS, *SETTINGS}:
            known = ", ".join(SETTINGS)
            raise ConfigurationError(
                f"{path} sets {name}, which is not a setting.", f"Known: {known}."
            )
        elif not personal and (name == _DOMAINS or SETTINGS[name].personal):
            variable = "" if name == _DOMAINS else f" or as {SETTINGS[name].variable}"
            raise ConfigurationError(
                f"{path} sets {name}, which a project may not choose for its users.",
                f"Set it in {user_config_path(os.environ)}{variable}.",
            )
    return table


def _check_domains(tables: object, path: str) -> None:
    """Raise ConfigurationError unless each table has a domain's name and known settings."""
    from codeartifact_pipenv.errors import ConfigurationError

    known = " and ".join(DOMAIN_SETTINGS)
    for key, table in (tables if isinstance(tables, dict) else {"": tables}).items():
        name, _, owner = key.rpartition("-")
        if not isinstance(table, dict) or not name or not _is_account(owner):
            raise ConfigurationError(
                f"{f'{_DOMAINS}.{key}'.rstrip('.')} in {path} is not a table of a domain.",
                f'Write {known} below [{_DOMAINS}."NAME-OWNER"], such as "acme-123456789012": '
                "the beginning of its host.",
            )
        for unknown in table.keys() - {*DOMAIN_SETTINGS}:
            raise ConfigurationError(
                f'{path} sets {unknown} in [{_DOMAINS}."{key}"], which is not a setting of a '
                "domain.",
                f"Known: {known}.",
            )


# --- the command line ----------------------------------------------------------------------
# Everything is pipenv's, byte for byte, except own verbs and options that begin with ``--ca-``, before
# the command or after it.

# Arguments after these commands may belong to another program.
_STARTING_PROGRAMS = ("run", "shell", "sandbox")

# pipenv's options before the command that take the next word as their value, in every
# version from 2023 on. (Others, such as --verbose, stand alone.)
_PIPENV_VALUE_OPTIONS = ("--python", "--pypi-mirror")


class CommandLine:
    """An argv taken apart.

    Attributes:
        options: own options, by the setting's name.
        rest: what pipenv gets, own options taken out; everything else untouched.
        command_at: where in ``rest`` the command is; None without a command.
    """

    def __init__(
        self, options: dict[str, str | bool], rest: list[str], command_at: int | None
    ) -> None:
        self.options = options
        self.rest = rest
        self.command_at = command_at

    @property
    def command(self) -> str | None:
        """The command: pipenv's, or an own verb; or None if only options are given."""
        return None if self.command_at is None else self.rest[self.command_at]

    @property
    def arguments(self) -> list[str]:
        """The words after the command."""
        return [] if self.command_at is None else self.rest[self.command_at + 1 :]


def parse_command_line(argv: Sequence[str]) -> CommandLine:
    """Take own options out of the words, and find the command.

    Raises:
        UsageError: an own option lacks its value, or has one where it takes none; or an option
            before the command begins with ``--ca-`` and is unknown.
    """
    options: dict[str, str | bool] = {}
    rest: list[str] = []
    words = list(argv)
    at = 0
    while at < len(words):
        word = words[at]
        if word.startswith("--ca-"):
            at += _read_option(words, at, options)
        elif word.startswith("-") and word not in {"-", "--"}:
            taken = 2 if takes_next_word(word) else 1
            rest += words[at : at + taken]
            at += taken
        else:
            break
    remaining = words[at:]
    rest_before = len(rest) + (1 if remaining[:1] == ["--"] else 0)
    rest += _without_options_after(remaining, options)
    return CommandLine(options, rest, rest_before if rest_before < len(rest) else None)


def _without_options_after(words: list[str], options: dict[str, str | bool]) -> list[str]:
    """Take known own options out of a command's arguments, up to ``--`` or another program."""
    rest, at = words[:1], 1
    while at < len(words) and words[at] != "--" and words[0] not in {"-", "--"}:
        name = words[at].removeprefix("--ca-").partition("=")[0]
        if words[at].startswith("--ca-") and name in SETTINGS:
            at += _read_option(words, at, options)
            continue
        if words[0] in _STARTING_PROGRAMS:
            break
        rest.append(words[at])
        at += 1
    return rest + words[at:]


def _read_option(words: list[str], at: int, options: dict[str, str | bool]) -> int:
    name, equals, value = words[at].removeprefix("--ca-").partition("=")
    if words[at] in {"--ca-help", "--ca-version"}:
        options[name] = True
        return 1
    setting = SETTINGS.get(name)
    if setting is None:
        known = ", ".join(setting.option for setting in SETTINGS.values())
        raise _usage(f"Unknown option --ca-{name}.", f"The options of pipenv-ca are: {known}.")
    if setting.is_flag:
        if equals:
            raise _usage(f"{setting.option} takes no value.", "Write the option without a value.")
        options[name] = True
        return 1
    if equals:
        options[name] = value
        return 1
    if at + 1 == len(words):
        raise _usage(
            f"{setting.option} needs a value.", f"Write {setting.option} {setting.metavar}."
        )
    options[name] = words[at + 1]
    return 2


def takes_next_word(word: str) -> bool:
    """Whether an option of pipenv's before the command has its value in the next word."""
    # pipenv since 2026.5 reads its arguments with argparse, which takes abbreviations.
    # --py is a separate option.
    return len(word) > len("--py") and any(name.startswith(word) for name in _PIPENV_VALUE_OPTIONS)


def _usage(sentence: str, hint: str) -> Exception:
    from codeartifact_pipenv.errors import UsageError

    return UsageError(sentence, hint)
