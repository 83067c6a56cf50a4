"""What the programs and the settings of this machine say."""
