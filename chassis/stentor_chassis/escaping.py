"""Text from outside, made safe to print."""


def escaped(text: str, passing: str = "") -> str:
    """Escape control characters and everything else that is unprintable, except the characters in `passing`."""
    if text.isprintable():
        return text
    unprintable = {each for each in text if not each.isprintable() and each not in passing}
    return text.translate({ord(each): each.encode("unicode_escape").decode() for each in unprintable})
