"""The control process and its workers, from start to exit."""
