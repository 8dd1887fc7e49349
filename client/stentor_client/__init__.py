"""Sends, reads and verifies replies over TCP."""

__version__ = "0.1.0"
