"""A proxy in pip's configuration of the user's, which pip would ask for the index on loopback.

pip's own setting knows no exceptions, unlike the variables of every program's.
"""

from __future__ import annotations

import os

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config, pip_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The indexes may have a password in them, and a run on loopback has one index.
_LEFT_OUT = (pip_settings.INDEX, pip_settings.EXTRA_INDEX)


def without_proxy(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the proxy of the user's configuration, and the text of that without it.

    None where there is no proxy, or pip could not read the files either. (A proxy for all users
    of a machine, or in a virtual environment, cannot be taken from pip.)
    """
    texts = [text for path in _files(environ) if (text := _text(path))]
    if not any("proxy" in text.lower() for text in texts):
        return None
    import configparser
    import io

    parser = configparser.RawConfigParser()
    try:
        for text in texts:
            parser.read_string(text)
    except configparser.Error:
        return None
    # (pip takes what is for all commands before what is for one; one is as good as another.)
    sections = sorted(parser.sections(), key=lambda name: name != "global")
    proxy = next((p for name in sections if (p := parser.get(name, "proxy", fallback=""))), "")
    for section in sections:
        for option in parser.options(section):
            setting = pip_settings.setting_of_key(option)
            if option == "proxy" or (setting and setting.kind in _LEFT_OUT):
                parser.remove_option(section, option)
    written = io.StringIO()
    parser.write(written)
    return (proxy, written.getvalue()) if proxy else None


def _files(environ: Mapping[str, str]) -> list[str]:
    named = pip_config.named_file(environ)
    if named is not None:
        return [] if named == os.devnull else [named]
    try:
        return pip_config.user_files(environ)
    except ConfigurationError:
        return []


def _text(path: str) -> str | None:
    try:
        return pip_config.read(path)
    except (OSError, UnicodeDecodeError):
        return None
