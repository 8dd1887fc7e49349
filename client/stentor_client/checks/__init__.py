"""The battery that proves a path: what each check does, what it proves, and what usually makes it fail."""
