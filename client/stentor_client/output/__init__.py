"""What the client writes: standard output, files, JSON, and words."""
