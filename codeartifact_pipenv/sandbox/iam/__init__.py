"""IAM's policies: read, and decided by. Pure: data in, a decision out."""
