"""What the network and this machine say of a project."""
