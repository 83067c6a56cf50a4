"""From an empty account to a working index, as a plan that is shown, agreed to and carried out."""
