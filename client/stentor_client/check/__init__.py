"""`check`: the battery that proves a path."""
