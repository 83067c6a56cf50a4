"""CodeArtifact's API, as far as the sandbox plays it."""
