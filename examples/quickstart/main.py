"""What this project does: it says what is owed, with a package of the company's own."""

import acme_invoices

print(acme_invoices.total([1_200_000, 34_567]))
