"""An index on loopback that is complete: the project's repositories, then its default source.

pipenv looks for a package that names no index in the first source only, CodeArtifact's pages lack
what the public index says of the same files, and CodeArtifact offers no metadata, so that a
resolver downloads whole wheels. During one command this index replaces all sources. Tokens stay
in this process; clients send a password that was made for the run.
"""
