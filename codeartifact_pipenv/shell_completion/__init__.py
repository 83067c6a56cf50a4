"""Completion in shells: ``_PIPENV_CA_COMPLETE=bash_source pipenv-ca`` prints a script.

The names are those by which pipenv offered its own until 2026.4, and every program of click's.
"""
