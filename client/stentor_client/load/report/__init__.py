"""The results of a load, as text, JSON, page and pictures."""
