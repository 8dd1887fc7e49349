"""Faults that the server injects on purpose."""
