"""Upper-cases every byte it receives over TCP and streams it back."""

NAME = "stentor-server"
__version__ = "0.1.0"
