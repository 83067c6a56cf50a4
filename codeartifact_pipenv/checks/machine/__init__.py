"""Checks of programs, variables and user files on this machine."""
