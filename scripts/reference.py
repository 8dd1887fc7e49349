"""Write `docs/metrics.md` and the tables of options in `README.md` from what the code declares.

And the rules of Prometheus as an object for its operator, which can read them from no other file. With `--check`, write
nothing, and exit 1 if a file differs from its source.
"""

import re
import sys
from pathlib import Path

import click

from stentor_chassis.counters.metrics import Counter, Histogram, Metric, Schema
from stentor_client.__main__ import cli as client
from stentor_client.metrics import SCHEMA as CLIENT
from stentor_server.__main__ import cli as server
from stentor_server.metrics import SCHEMA as SERVER

ROOT = Path(__file__).parents[1]
HEAD = """# Metrics

`make docs` writes this page from the code.

Every series exists from the start, with value 0. Units are seconds and bytes. Counters survive the worker process that
counted. At every scrape, the server's `connections_accepted_total` is `connections_active` plus the sum of
`connections_closed_total`. While no byte is in transit, received bytes equal sent bytes plus `write_buffer_bytes` plus
`unsent_bytes_total`.

Both services also export `stentor_build_info{service,version,python}`, and the standard `process_*` metrics of each
process with the label `process` (`control`, `worker0`, …). These leave out retired workers, whose names belong to
their successors. For OpenMetrics, send `Accept: application/openmetrics-text`.
"""

PROMETHEUS_RULE = """# yamllint disable-file
# `make docs` writes this file from those of observability/prometheus.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: stentor
spec:
  groups:
"""


def metrics_page() -> str:
    """Return the page of metrics."""
    return HEAD + "".join(_metrics_of(title, schema) for title, schema in (("Server", SERVER), ("Client", CLIENT)))


def options_table(command: click.Command) -> str:
    """Return the options of a command as a table."""
    rows = ["| option | variable | default | what it does |", "|---|---|---|---|"]
    for option in command.params:
        if not isinstance(option, click.Option):
            continue
        defaults = option.default if isinstance(option.default, tuple) else (option.default,)
        given = ",".join(str(each) for each in defaults if isinstance(each, str | int) and not option.is_flag)
        text = (option.help or "").replace("|", "\\|")
        stated = re.search(r"\s*\[default: (.*)\]", text)
        text, given = re.sub(r"\s*\[default: .*\]", "", text), stated[1] if stated else f"`{given}`" if given else ""
        choices = f" One of `{'`, `'.join(option.type.choices)}`." if isinstance(option.type, click.Choice) else ""
        rows.append(f"| `{option.opts[0]}` | `{option.envvar}` | {given} | {text}{choices} |")
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """Return README.md with the current tables."""
    for name, commands in (("server", server), ("client", client)):
        for command in commands.all_commands():
            begin, end = (f"<!-- {edge}: stentor-{name} {command.name} -->\n" for edge in ("options", "end"))
            before, found, rest = text.partition(begin)
            if not found:
                raise SystemExit(f"README.md lacks the line {begin!r}")
            text = before + begin + options_table(command) + end + rest.partition(end)[2]
    return text


def prometheus_rule() -> str:
    """Return the groups of all files of rules, with their comments, as one object."""
    folder = ROOT / "observability" / "prometheus"
    files = folder / "expected.yml", *sorted((folder / "rules").glob("*.yml"))
    return PROMETHEUS_RULE + "\n".join(path.read_text(encoding="utf-8").replace("groups:\n", "", 1) for path in files)


def main() -> int:
    """Write or check the files."""
    pages = {
        ROOT / "deploy" / "kubernetes" / "overlays" / "operator" / "prometheus-rule.yaml": prometheus_rule(),
        ROOT / "docs" / "metrics.md": metrics_page(),
        ROOT / "README.md": readme((ROOT / "README.md").read_text(encoding="utf-8")),
    }
    stale = [page.name for page, text in pages.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        if stale:
            print(f"{', '.join(stale)}: differs from its source; run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    for page, text in pages.items():
        page.write_text(text, encoding="utf-8")
    return 0


def _metrics_of(title: str, schema: Schema) -> str:
    rows = [f"\n## {title}\n", "| metric | kind | unit | labels | what it is |", "|---|---|---|---|---|"]
    for metric in schema.metrics:
        labels = f"`{metric.label}`" if metric.label else ""
        if metric.values:
            labels += f": {', '.join(f'`{value}`' for value in metric.values)}"
        rows.append(f"| `{schema.prefix}_{metric.name}` | {_kind(metric)} | {metric.unit} | {labels} | {metric.help} |")
    return "\n".join(rows) + "\n"


def _kind(metric: Metric) -> str:
    if isinstance(metric, Histogram):
        return f"histogram, {metric.bounds[0] * metric.scale:g} s to {metric.bounds[-1] * metric.scale:.4g} s"
    return "counter" if isinstance(metric, Counter) else "gauge"


if __name__ == "__main__":
    sys.exit(main())
