"""Running pipenv: command table, route, hand-off, private folder, index on loopback, copies."""
