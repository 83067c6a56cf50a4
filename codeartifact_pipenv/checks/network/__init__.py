"""Checks that use AWS and the indexes of a project."""
