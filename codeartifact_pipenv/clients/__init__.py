"""Tokens for other tools: printed, in variables, or in their own configuration."""
