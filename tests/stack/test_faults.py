"""Every fault, seen by all who should see it: the client, both logs, both sides' metrics, and one alert."""

from collections.abc import Iterator

import pytest

from stack.compose import ROOT, Stack
from stack.hastened import hasten
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 60.0
CALM_SECONDS = 5.0  # of evaluations, one a second
WRONG, UNREACHABLE, SLOW = "StentorTargetNotVerified", "StentorErrorBudgetBurnFast", "StentorResponseTimeBurnFast"


@pytest.fixture(scope="module")
def watched(built_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, with a Prometheus for which half a minute is an hour."""
    assert built_stack  # its images are the ones
    rules = tmp_path_factory.mktemp("prometheus")
    hasten(ROOT / "observability" / "prometheus", rules)
    stack = Stack("tests/stack/docker-compose.faults.yml", {"RULES": str(rules)})
    try:
        yield stack
    finally:
        stack.down()


@pytest.mark.parametrize(
    ("fault", "outcome", "page"),
    [
        ("delay=1:300ms", "ok", SLOW),
        ("drip=1:5ms", "ok", SLOW),
        ("truncate=1", "short", WRONG),
        ("corrupt=1", "mismatch", WRONG),
        ("extra=1", "extra", WRONG),
        ("reset=1", "reset", UNREACHABLE),
        ("early_fin=1", "eof", UNREACHABLE),
        ("stall=1", "timeout", UNREACHABLE),
        ("refuse=1", "reset", UNREACHABLE),
    ],
    ids=lambda value: str(value).partition("=")[0],
)
def test_fault(watched: Stack, fault: str, outcome: str, page: str) -> None:
    """Injected, it has its outcome, event and metrics, and one alert pages; stopped, that resolves."""
    name = fault.partition("=")[0]
    inject(watched, "")
    # One that has seen no other fault: what it remembers of them would be in its longer windows.
    watched.compose("up", "--detach", "--force-recreate", "client", "prometheus")
    until(lambda: watched.value("sum(up)") == 2 and not pages(watched), "both to be watched, and no page", SECONDS)
    inject(watched, fault)
    counted = f'stentor_client_exchanges_total{{outcome="{outcome}"}}'
    before = until(watched.client_metrics, "the client's metrics")[counted]
    until(lambda: watched.client_metrics()[counted] > before + 2, f"outcome {outcome}", SECONDS)
    until(lambda: pages(watched) == {page}, f"{page} to page alone", SECONDS)
    # Who replaced the server broke some exchanges, which may be a page of its own for a moment.
    until(lambda: paged_for(watched, CALM_SECONDS) == {page}, f"{page} alone to go on", SECONDS)
    ticket = f'alertname="StentorFaultsInjected",severity="ticket",fault="{name}"'
    until(lambda: firing(watched, ticket), "a ticket that names the fault", SECONDS)
    server = watched.server_metrics()
    assert server[f'stentor_server_faults_injected_total{{fault="{name}"}}'] > 0
    ended = {"refuse": "rejected", "truncate": "closed", "reset": "closed", "early_fin": "closed", "stall": "closed"}
    if name in ended:
        assert server[f'stentor_server_connections_{ended[name]}_total{{reason="fault"}}'] > 0
    assert [event["fault"] for event in watched.events("server", "faults.enabled")] == [[fault]]
    assert {event["fault"] for event in watched.events("server", "fault.injected")} == {name}
    if outcome != "ok":
        assert outcome in {event["outcome"] for event in watched.events("client", "exchange.failed")}
    inject(watched, "")
    until(lambda: pages(watched) == set(), f"{page} to resolve", SECONDS)


def inject(stack: Stack, fault: str) -> None:
    """Have a server with this fault, or with none, in place of the one that is there."""
    stack.environment["FAULT"] = fault
    stack.compose("up", "--detach", "--no-deps", "server")
    until(lambda: stack.server_status()["config"]["fault"] == ([fault] if fault else []), "the server", SECONDS)


def pages(stack: Stack) -> set[str]:
    """Return the pages that are on now."""
    return {each["alertname"] for each in firing(stack, 'severity="page"')}


def firing(stack: Stack, selector: str) -> list[dict[str, str]]:
    """Return the labels of the alerts that are on now, of those that the selector picks."""
    found = stack.prometheus("query", query=f'ALERTS{{alertstate="firing",{selector}}}')["result"]
    return [each["metric"] for each in found]


def paged_for(stack: Stack, seconds: float) -> set[str]:
    """Wait until Prometheus is so much older; return the pages that were on at any time in between."""
    begin = now(stack)
    until(lambda: now(stack) >= begin + seconds, "some evaluations", SECONDS)
    query = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing",severity="page"}}[{seconds:.0f}s]))'
    return {each["metric"]["alertname"] for each in stack.prometheus("query", query=query)["result"]}


def now(stack: Stack) -> float:
    """Return what time it is for Prometheus."""
    return until(lambda: stack.value("vector(time())"), "the time")
