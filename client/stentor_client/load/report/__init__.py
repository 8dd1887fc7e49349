"""What a load measured, as text, JSON, page and pictures."""
