"""The transforms: each byte becomes another by a table of 256, so the length does not change."""

from stringzilla import translate

__all__ = ["TRANSFORMS", "translate"]  # translate(chunk, table, inplace=True) runs at memory speed

# bytes.upper() changes only a to z, in any encoding.
TRANSFORMS = {"upper": bytes(range(256)).upper(), "echo": bytes(range(256))}
