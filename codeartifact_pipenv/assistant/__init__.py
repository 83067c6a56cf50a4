"""``pipenv-ca mcp``: a read-only server for assistants that speak the Model Context Protocol."""
