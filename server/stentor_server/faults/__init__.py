"""Faults that the server injects on request."""
