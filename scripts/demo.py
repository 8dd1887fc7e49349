"""Run the pair on loopback: start a server, make a few verified exchanges, compare the counts of both sides, stop."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

BIN = str(Path(sys.executable).parent)
EXCHANGES = "12"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("STENTOR_")}


def main() -> int:
    """Run the demo; return 0 if the counts agree."""
    command = [f"{BIN}/stentor-server", "serve", "--port", "0", "--admin-port", "0", "--log-format", "json"]
    print("$ stentor-server serve")
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as server:
        try:
            agreed = exchange(wait_until_ready(server))
        finally:
            server.terminate()
            for line in server.stdout or ():
                print(f"  {line}", end="")
    print("The server has stopped.")
    return 0 if agreed and server.returncode == 0 else 1


def wait_until_ready(server: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the event with the server's addresses."""
    for line in server.stdout or ():
        print(f"  {line}", end="")
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "server.ready":
            return event
    raise SystemExit("the server did not start")


def exchange(ready: dict[str, Any]) -> bool:
    """Exchange messages, and return whether the counts of both sides agree."""
    target = ready["addresses"][0]
    print("\n$ stentor-client send hello")
    send = [f"{BIN}/stentor-client", "send", "--target", target, "hello"]
    sent = subprocess.run(send, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    print(f"  {sent.stdout.decode()}", end="")
    summary = probe(target)
    metrics = scrape(ready["admin"])
    sides = [
        ("connections", summary["connections_opened"] + 1, metrics["connections_accepted_total"]),
        ("bytes to the server", summary["sent_bytes"] + len("hello\n"), metrics["received_bytes_total"]),
        ("bytes back", summary["received_bytes"] + len("HELLO\n"), metrics["sent_bytes_total"]),
    ]
    print(f"\n  {'':22}{'clients':>10}{'server':>10}")
    for name, clients, server in sides:
        print(f"  {name:22}{clients:10}{server:10}  {'agree' if clients == server else 'DISAGREE'}")
    print()
    return all(clients == server for _, clients, server in sides)


def probe(target: str) -> dict[str, Any]:
    """Run a short probe, print its exchanges, and return its summary."""
    print(f"\n# {EXCHANGES} exchanges of stentor-client probe")
    command = [f"{BIN}/stentor-client", "probe", "--target", target, "--count", EXCHANGES, "--interval", "100ms"]
    command += ["--admin-port", "0", "--log-format", "json", "--log-level", "debug"]
    run = subprocess.run(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, check=True)
    events: list[dict[str, Any]] = [json.loads(line) for line in run.stderr.splitlines()]
    for event in events:
        if event["event"] == "exchange.completed":
            milliseconds = event["response_time_seconds"] * 1000
            print(f"  exchange {event['sequence']:2}: {event['size_bytes']:6} bytes verified in {milliseconds:.2f} ms")
    return next(event for event in events if event["event"] == "probe.summary")


def scrape(admin: str) -> dict[str, int]:
    """Return the server's metrics without labels, by name without the prefix."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy has a way to loopback
    with opener.open(f"{admin}/metrics") as response:
        samples = [line.split() for line in response.read().decode().splitlines() if line.startswith("stentor_server_")]
    return {name.removeprefix("stentor_server_"): int(float(value)) for name, value in samples if "{" not in name}


if __name__ == "__main__":
    sys.exit(main())
