"""All measurements, run by run, in a file from which tables and charts are made."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from bench.measurement import Run
from bench.memory import Memory
from bench.ratio import Spread, spread_of

FILE = Path(__file__).with_name("results") / "full.json"


@dataclass(frozen=True)
class Result:
    """One full measurement."""

    machine: dict[str, str | int]
    tools: dict[str, str]
    skipped: dict[str, str]  # a reason for each peer
    runs: list[Run]
    memory: list[Memory]
    many: Memory  # 100,000 connections over several workers

    def memory_spread(self, contender: str) -> Spread | None:
        """Return the spread of the bytes per idle connection."""
        return spread_of([one.each_bytes for one in self.memory if one.contender == contender and not one.failure])

    def renewed(self, runs: Sequence[Run]) -> Self:
        """Return the result with these runs in place of those of their cells; if all of a cell failed, it stays."""
        cells = {run.cell for run in runs if not run.failure}
        kept = (run for run in self.runs if run.cell not in cells)
        return replace(self, runs=[*kept, *(run for run in runs if run.cell in cells)])

    def save(self, file: Path = FILE) -> None:
        """Write the file, with a line for each run."""
        parts = [f'"{name}": {_text(value)}' for name, value in asdict(self).items()]
        file.parent.mkdir(exist_ok=True)
        file.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read the file."""
        fields = json.loads(file.read_text(encoding="utf-8"))
        runs, memory = [Run(**run) for run in fields["runs"]], [Memory(**one) for one in fields["memory"]]
        return cls(**(fields | {"runs": runs, "memory": memory, "many": Memory(**fields["many"])}))


def _text(value: object) -> str:
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"  {_text(one)}" for one in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)
