"""A cool-down: what was uploaded to the index in the last days is passed over."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def cool_down_cutoff(document: Mapping[str, Any], environ: Mapping[str, str]) -> datetime | None:
    """Return the moment before which files must have been uploaded; None for no cool-down.

    It is ``cool-down-period`` of a Pipfile's ``[pipenv]``, such as ``7d`` (pipenv from 2026.8), or
    ``PIP_UPLOADED_PRIOR_TO``, a moment or a number of days such as ``P7D`` (pip from 26.0).

    Args:
        document: the Pipfile, parsed.
        environ: the environment as pipenv sees it.
    """
    table = document.get("pipenv")
    period = table.get("cool-down-period") if isinstance(table, dict) else None
    given = period or environ.get("PIP_UPLOADED_PRIOR_TO")
    if not isinstance(given, str):
        return None
    days = re.fullmatch(r"(\d{1,6})d|P(\d{1,6})D", given.strip())
    if days:
        return datetime.now(timezone.utc) - timedelta(days=int(days[1] or days[2]))
    return None if period else parse_timestamp(given)


def parse_timestamp(text: str) -> datetime | None:
    """Read a moment as indexes write it (ISO 8601, PEP 700); None for another text."""
    try:
        found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text.strip()))
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()
