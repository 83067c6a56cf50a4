"""Files of users and of this program: bounded reads, atomic writes, private files, locks."""
