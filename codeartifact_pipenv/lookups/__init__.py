"""What repositories hold, and why an index does not serve a package."""
