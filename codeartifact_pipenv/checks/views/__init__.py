"""The commands doctor, explain, lint and fix."""
