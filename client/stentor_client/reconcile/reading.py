"""Reads the counts of one side from its admin endpoints."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from stentor_chassis.failure import USAGE, Failure
from stentor_client.reconcile.exposition import MOST_COUNT, samples
from stentor_client.reconcile.web import Answer, get
from stentor_client.verify.outcomes import NOT_REACHED

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Counts by name, and when they were read; counts of several endpoints are added up."""

    began: float  # seconds of the monotonic clock
    ended: float
    started: tuple[float, ...]  # when each service started, in Unix time; 0 if it does not report it
    exchange_seconds: float  # the mean duration of good exchanges at the slowest client; 0 if there were none
    counts: Counts

    def follows(self, other: "Reading") -> bool:
        """Return whether no service restarted between the other reading and this one."""
        return self.started == other.started and all(self.counts[name] >= other.counts[name] for name in _GROWING)


# Counts of both sides that only grow.
_GROWING = ("opened", "sent_bytes", "received_bytes")


class Samples:
    """The samples of one exposition."""

    def __init__(self, url: str, text: str) -> None:
        """Parse `text`; raise `Failure` if it is not an exposition."""
        self._url = url
        self._values: defaultdict[str, dict[frozenset[tuple[str, str]], float]] = defaultdict(dict)
        try:
            for name, labels, value in samples(text):
                self._values[name][frozenset(labels.items())] = value
        except ValueError as error:
            raise Failure(NOT_REACHED, f"{url} is not in Prometheus' text format") from error

    def count(self, name: str, **labels: str) -> int:
        """Return the sum of a metric's samples with these labels; raise `Failure` if there is none."""
        found = [value for key, value in self._values[name].items() if labels.items() <= dict(key).items()]
        if not found:
            service = name.split("_")[1]
            raise Failure(NOT_REACHED, f"{self._url} has no {name}: give the URL of a {service}'s admin endpoint")
        total = sum(found)
        if not abs(total) < MOST_COUNT:  # also excludes NaN
            raise Failure(NOT_REACHED, f"{self._url} reports {total:g} for {name}, which is not a count")
        return int(total)

    def mean(self, name: str) -> float:
        """Return the mean of a histogram's observations; 0 if there is none, or no number."""
        count, total = (sum(self._values[f"{name}_{what}"].values()) for what in ("count", "sum"))
        mean = total / count if count else 0.0
        return mean if 0 < mean < math.inf else 0.0  # also excludes NaN

    def started(self) -> float:
        """Return when the control process started, in Unix time; 0 if it does not report it."""
        started = self._values["process_start_time_seconds"].get(frozenset({("process", "control")}), 0.0)
        return started if math.isfinite(started) else 0.0

    def identity(self) -> Hashable:
        """Return what no other service has, also if it counts the same: when its processes started, to 10 ms."""
        return frozenset(self._values["process_start_time_seconds"].items())


def of_server(samples: Samples) -> Counts:
    """Return the counts of a server; `opened` includes rejected connections."""

    def count(name: str, **labels: str) -> int:
        return samples.count(f"stentor_server_{name}", **labels)

    accepted, active, closed, rejected = (
        count(f"connections_{name}") for name in ("accepted_total", "active", "closed_total", "rejected_total")
    )
    sent, unsent = count("sent_bytes_total"), count("unsent_bytes_total")
    added = count("faults_injected_total", fault="extra")  # one byte each, sent but never received
    return {
        "opened": accepted + rejected,
        "closed": accepted + rejected - active,
        "accepted": accepted,
        "accounted": active + closed,
        "rejected": rejected,
        "lost": count("connections_closed_total", reason="worker_lost"),
        "received_bytes": count("received_bytes_total"),
        "sent_bytes": sent,
        "unsent_bytes": unsent,
        "answered_bytes": sent + unsent + count("write_buffer_bytes") - added,
    }


def of_client(samples: Samples) -> Counts:
    """Return the counts of a client."""

    def count(name: str, **labels: str) -> int:
        return samples.count(f"stentor_client_{name}", **labels)

    opened = count("connections_opened_total")
    exchanges, good = count("exchanges_total"), count("exchanges_total", outcome="ok")
    return {
        "opened": opened,
        "closed": opened - count("connections_active"),
        "lost": count("connections_lost_total"),
        "exchanges": exchanges,
        "failed": exchanges - good,
        "sent_bytes": count("sent_bytes_total"),
        "received_bytes": count("received_bytes_total"),
    }


async def read(urls: Sequence[str], counts_of: Callable[[Samples], Counts]) -> Reading:
    """Read all endpoints of one side, one after the other.

    Raises:
        Failure: one of them cannot be read, or is another of them; the message says why.

    """
    began = time.monotonic()
    answers = [(f"{url}/metrics", await get(f"{url}/metrics")) for url in urls]
    ended = time.monotonic()
    parsed = [_samples(url, answer) for url, answer in answers]
    each = [counts_of(one) for one in parsed]
    seen: dict[Hashable, str] = {}
    for url, one in zip(urls, parsed, strict=True):
        other = seen.setdefault(one.identity() or url, url)
        if other != url:
            raise Failure(USAGE, f"{other} and {url} are the same service, which would be counted twice: give one")
    return Reading(
        began=began,
        ended=ended,
        started=tuple(one.started() for one in parsed),
        exchange_seconds=max(one.mean("stentor_client_service_time_seconds") for one in parsed),
        counts={name: sum(counts[name] for counts in each) for name in each[0]},
    )


def _samples(url: str, answer: Answer) -> Samples:
    if not answer.ok:
        hint = "; its option --admin-name adds this name" if answer.status == HTTPStatus.MISDIRECTED_REQUEST else ""
        raise Failure(NOT_REACHED, f"cannot read {url}: it answered {answer.status} {answer.reason}{hint}")
    try:
        return Samples(url, answer.body.decode())
    except UnicodeDecodeError as error:
        raise Failure(NOT_REACHED, f"{url} is not in Prometheus' text format") from error
