"""What the files and variables of the user say."""
