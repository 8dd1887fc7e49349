"""The documents that show the results: tables between markers, and charts."""

from pathlib import Path

from bench import report
from bench.charts import charts
from bench.result import Result
from bench.target import client_targets, targets

ROOT = Path(__file__).parents[1]
README = Path("README.md")
PAGE = Path("docs/performance.md")
CHARTS = Path("docs/performance")


def documents(result: Result, root: Path = ROOT) -> dict[Path, str]:
    """Return the text of the documents and charts that show this result."""
    runs, main = result.runs, report.main_table(result.runs)
    tables = {
        "bench: machine": report.machine_table(result),
        "bench: main": main,
        "bench: targets": report.target_table(targets(result)),
        "bench: client": report.target_table(client_targets(runs)),
        "bench: processor": report.ratio_table(runs, lambda run: run.cpu_us),
        "bench: latency": report.ratio_table(runs, lambda run: run.p99_us),
        "bench: utilisation": report.utilisation_table(runs),
        "bench: memory": report.memory_table(result),
    }
    page = (root / PAGE).read_text(encoding="utf-8")
    for name, table in tables.items():
        page = between(page, name, table)
    readme = between((root / README).read_text(encoding="utf-8"), "bench", main)
    return {README: readme, PAGE: page} | {CHARTS / name: chart for name, chart in charts(runs).items()}


def write(result: Result, root: Path = ROOT) -> None:
    """Write the documents and charts that show this result."""
    for path, text in documents(result, root).items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def between(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of this name.

    Raises ValueError if a marker is missing.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end: {name} -->\n"
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"no lines {begin!r} and {end!r}")
    return before + begin + content + end + after
