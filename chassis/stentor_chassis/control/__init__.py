"""The control process and its workers: how they start, live and end."""
