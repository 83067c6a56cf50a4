"""What a project's files say, and changes to them that leave the rest as it was."""
