"""Reading what a service exports."""

import urllib.request
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, float]

# A proxy that the environment names has no way to loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def samples(text: str) -> Samples:
    """Return every sample of an exposition, by its name and labels as they are written in PromQL."""
    return dict(_samples(text))


def scrape(admin: str) -> Samples:
    """Return every sample that an admin endpoint exports."""
    with OPENER.open(f"{admin}/metrics", timeout=10) as response:
        return samples(response.read().decode())


def total(values: Mapping[str, float], name: str) -> float:
    """Return the sum over all label values of a metric."""
    return sum(value for key, value in values.items() if key.split("{")[0] == name)


def balanced(values: Mapping[str, float]) -> bool:
    """Whether a server's accounts agree, of connections and, while no byte is under way, of bytes."""
    accepted = values["stentor_server_connections_accepted_total"]
    ended = total(values, "stentor_server_connections_closed_total")
    by_worker = total(values, "stentor_server_worker_connections_active")
    waiting = values["stentor_server_write_buffer_bytes"]
    answered = values["stentor_server_sent_bytes_total"] + values["stentor_server_unsent_bytes_total"]
    owed = values["stentor_server_received_bytes_total"] + values['stentor_server_faults_injected_total{fault="extra"}']
    return accepted - ended == by_worker and owed == answered + waiting


def _samples(text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            yield f"{sample.name}{{{labels}}}" if labels else sample.name, sample.value
