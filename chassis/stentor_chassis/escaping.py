"""Text from outside, as a person may see it."""


def escaped(text: str, passing: str = "") -> str:
    """Escape what could command a terminal, or is no text at all, except the characters in `passing`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in passing else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
