"""Everything that was measured, run by run, as a file that tables and charts are made from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.measurement import Run
from bench.memory import Memory

FILE = Path(__file__).with_name("results") / "full.json"


@dataclass(frozen=True)
class Result:
    """One whole measurement."""

    machine: dict[str, str | int]
    tools: dict[str, str]
    skipped: dict[str, str]  # peers, and why
    runs: list[Run]
    memory: list[Memory]
    many: Memory  # 100,000 connections over several workers

    def save(self, file: Path = FILE) -> None:
        """Write it, a line for each run."""
        fields = asdict(self)
        parts = [
            f'"{name}": {_rows(value) if isinstance(value, list) else _row(value)}' for name, value in fields.items()
        ]
        file.parent.mkdir(exist_ok=True)
        file.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")

    def renewed(self, runs: Sequence[Run]) -> "Result":
        """Return the same with these runs in place of those of their cells; a cell in which all failed stays."""
        cells = {run.cell for run in runs if not run.failure}
        kept = (run for run in self.runs if run.cell not in cells)
        return replace(self, runs=[*kept, *(run for run in runs if run.cell in cells)])

    @classmethod
    def load(cls, file: Path = FILE) -> "Result":
        """Read what save() wrote."""
        fields = json.loads(file.read_text(encoding="utf-8"))
        runs, memory = [Run(**run) for run in fields["runs"]], [Memory(**one) for one in fields["memory"]]
        return cls(**(fields | {"runs": runs, "memory": memory, "many": Memory(**fields["many"])}))


def _row(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rows(values: list[object]) -> str:
    return "[\n" + ",\n".join(f"  {_row(value)}" for value in values) + "\n]"
