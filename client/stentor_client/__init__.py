"""Sends, reads and verifies replies over TCP."""

NAME = "stentor-client"
__version__ = "0.1.0"
