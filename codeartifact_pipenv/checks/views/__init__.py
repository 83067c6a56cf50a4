"""The verbs doctor, lint and fix: views of the checks."""
