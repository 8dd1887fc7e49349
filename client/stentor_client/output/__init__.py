"""The client's output: standard output, files, JSON, and words."""
