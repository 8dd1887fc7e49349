"""Upper-cases every byte it receives over TCP and streams it back."""

__version__ = "0.1.0"
