"""Completion in shells: ``_PIPENV_CA_COMPLETE=bash_source pipenv-ca`` prints a script.

The names follow click, which pipenv's own completion used until 2026.4.
"""
