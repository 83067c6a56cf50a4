"""Where a token comes from: the token itself, AWS, cache, identity, resolver, keyring backend."""
