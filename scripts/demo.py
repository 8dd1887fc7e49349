"""Runs the pair on loopback: a server, a few verified exchanges, the counts of both sides, stop."""

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
    """Run the demo; return 0 when both sides agree."""
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


def wait_until_ready(server: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the event that says where the server listens."""
    for line in server.stdout or ():
        print(f"  {line}", end="")
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "server.ready":
            return event
    raise SystemExit("the server did not start")


def exchange(ready: dict[str, Any]) -> bool:
    """Exchange, and hold the counts of both sides against each other."""
    target = ready["addresses"][0]
    print("\n$ stentor-client send hello")
    send = [f"{BIN}/stentor-client", "send", "--target", target, "hello"]
    sent = subprocess.run(send, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    print(f"  {sent.stdout.decode()}", end="")

    print(f"\n$ stentor-client probe --count {EXCHANGES} --interval 100ms")
    probe = [f"{BIN}/stentor-client", "probe", "--target", target, "--count", EXCHANGES, "--interval", "100ms"]
    run = subprocess.run(
        [*probe, "--admin-port", "0", "--log-format", "json", "--log-level", "debug"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    events = [json.loads(line) for line in run.stderr.splitlines()]
    for event in events:
        if event["event"] == "exchange.completed":
            print(
                f"  exchange {event['sequence']:2}: {event['size_bytes']:6} bytes verified in "
                f"{event['response_time_seconds'] * 1000:.2f} ms"
            )
    summary = next(event for event in events if event["event"] == "probe.summary")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no way to loopback
    with opener.open(f"{ready['admin']}/metrics") as response:
        metrics = response.read().decode().splitlines()

    def counted(name: str) -> int:
        return next(int(float(line.split()[1])) for line in metrics if line.startswith(f"stentor_server_{name} "))

    sides = [
        ("connections", summary["connections_opened"] + 1, counted("connections_accepted_total")),
        ("bytes to the server", summary["sent_bytes"] + len("hello\n"), counted("received_bytes_total")),
        ("bytes back", summary["received_bytes"] + len("HELLO\n"), counted("sent_bytes_total")),
    ]
    print(f"\n  {'':22}{'clients':>10}{'server':>10}")
    for name, client, server in sides:
        print(f"  {name:22}{client:10}{server:10}  {'agree' if client == server else 'DISAGREE'}")
    print()
    return all(client == server for _, client, server in sides)


if __name__ == "__main__":
    sys.exit(main())
