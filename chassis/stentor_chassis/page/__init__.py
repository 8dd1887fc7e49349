"""The live page of the admin endpoint: its contents, its history, and its routes."""
