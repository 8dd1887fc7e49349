"""The events that docs/operations.md lists."""

import re
from pathlib import Path

_TEXT = (Path(__file__).parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
_ROWS = _TEXT.partition("| event | when | keys |\n|---|---|---|\n")[2].partition("\n\n")[0].splitlines()
COMMON = {"timestamp", "level", "event", "service", "version", "worker"}

# The keys of each event besides the common ones, and whether every such line has the key.
EVENTS = {
    name: {found[2]: not found[1] for found in re.finditer(r"(\[?)`([a-z_]+)`", row.split("|")[3])}
    for row in _ROWS
    for name in re.findall(r"`([a-z]+\.[a-z]+)`", row.split("|")[1])
}
