"""A loopback index that combines the project's repositories and its default source.

During one command it replaces all sources, because pipenv looks for packages without ``index``
only in the first source, CodeArtifact's pages lack data of the public index, and CodeArtifact has
no METADATA files, so resolvers download whole wheels. Tokens stay in this process; clients send
a password that is valid for one run.
"""
