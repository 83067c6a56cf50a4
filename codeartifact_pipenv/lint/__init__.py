"""Reviews a project's files, and repairs them."""
