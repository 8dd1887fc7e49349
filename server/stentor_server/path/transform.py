"""What the server does to the bytes: each becomes another, by a table of 256, so the length stays."""

from stringzilla import translate

__all__ = ["TRANSFORMS", "translate"]  # translate(chunk, table, inplace=True): at memory speed, from the first byte on

# bytes.upper() changes a to z only, whatever the bytes mean.
TRANSFORMS = {"upper": bytes(range(256)).upper(), "echo": bytes(range(256))}
