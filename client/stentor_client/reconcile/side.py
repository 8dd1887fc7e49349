"""Who counts, and the counts that both sides keep."""

from enum import StrEnum
from typing import Final


class Side(StrEnum):
    """Who counts."""

    CLIENT = "client"
    SERVER = "server"


COUNT_NAMES: Final = ("connections", "sent_bytes", "received_bytes")
