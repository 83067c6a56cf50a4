"""pipenv, pip and every keyring client on AWS CodeArtifact."""

__version__ = "0.1.0"
