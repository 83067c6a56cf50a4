"""Calls to package indexes and the AWS API that look up packages."""
