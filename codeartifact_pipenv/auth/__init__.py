"""Where a token comes from: the token itself, cache, identity, resolver, keyring backend."""
