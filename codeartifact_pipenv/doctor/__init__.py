"""``pipenv-ca doctor``: looks at everything once, and says what is well and what is not."""
