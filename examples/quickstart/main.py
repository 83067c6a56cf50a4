"""Print what is owed, with a private package of the company."""

import acme_invoices

print(acme_invoices.total([1_200_000, 34_567]))
