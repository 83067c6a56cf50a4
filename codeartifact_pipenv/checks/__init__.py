"""The checks of a project, and the verbs that show what they find."""
