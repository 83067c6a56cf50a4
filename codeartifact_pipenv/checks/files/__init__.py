"""Checks of a project's files."""
