"""The conversation: a person at a terminal."""
