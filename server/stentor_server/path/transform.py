"""The transforms: each byte becomes another by a table of 256, so the length does not change."""

from stringzilla import translate

__all__ = ["QUESTION", "TRANSFORMS", "right_answer", "translate"]  # translate() runs at memory speed

# Digits must stay: by them the client knows its messages. bytes.upper() changes only a to z, in any encoding.
TRANSFORMS = {"upper": bytes(range(256)).upper(), "echo": bytes(range(256))}
QUESTION = b"aZ"  # of a health check


def right_answer(transform: str) -> bytes:
    """Return the right answer to `QUESTION`."""
    return QUESTION.translate(TRANSFORMS[transform])
