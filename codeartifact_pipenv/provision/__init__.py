"""From an empty account to a working index: show what would be done, ask, and do it."""
