"""Reading a project's files, and editing them without touching the rest."""
