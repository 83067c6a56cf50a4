"""What the programs, settings and files of this machine say."""
