"""A private package of the Acme company."""

import humanize


def total(amounts: list[int]) -> str:
    """Say what a list of invoices adds up to."""
    return f"{humanize.intcomma(sum(amounts))} in {humanize.apnumber(len(amounts))} invoices"
