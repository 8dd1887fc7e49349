"""Programs of others: those that talk to the server, and proxies in front of it."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest

from processes import BIN
from waiting import SECONDS, until

_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")  # where Debian and Ubuntu put it
# Daemons are in folders that a user's PATH may lack.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def program(name: str) -> str:
    """Return the path of a program; without it the test fails, for it would prove nothing."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.fail(f"{name} is missing: scripts/test-peers installs it, or says what to install")
    return found


def run_peer(name: str, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end."""
    return subprocess.run([program(name), *arguments], input=stdin, capture_output=True, timeout=SECONDS, check=False)


def converse(name: str, *arguments: str, line: bytes) -> tuple[bytes, bytes]:
    """Give a program a line, and its end of input after the answer; return answer and errors.

    For programs that end with their input, without waiting for what is still to come.
    """
    with subprocess.Popen(
        [program(name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        answer = process.stdout.readline()
        return answer, process.communicate(timeout=SECONDS)[1]


class Proxy:
    """A proxy that inherits its listening socket.

    So its port is its own from the beginning, and connections made before it has started wait in the queue. If it does
    not start, the queue goes with it, and its own words are in the output of the test.
    """

    def __init__(self, folder: Path, target: str, options: str = "", lines: str = "") -> None:
        """Keep the configuration in `folder`: `options` of its line or block `server`, and more `lines`."""
        self.folder = folder
        self.listener = self.bound()
        self.address: tuple[str, int] = self.listener.getsockname()
        self.target = "{}:{}".format(*self.address)
        self.server = target
        self.options = options
        self.lines = lines

    def bound(self) -> socket.socket:
        """Return the socket that it inherits."""
        return socket.create_server(("127.0.0.1", 0))

    def command(self) -> list[str]:
        """Write the configuration, and return how to start the proxy in the foreground."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start it."""
        inherited = self.listener.fileno()
        environment = {**os.environ, "NGINX": f"{inherited};"}  # as nginx itself does for its successor
        with self.listener:
            self.process = subprocess.Popen(self.command(), pass_fds=[inherited], env=environment, cwd=self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and be sure that it is gone."""
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Return a new connection to it."""
        return socket.create_connection(self.address, SECONDS, source_address=(source, 0))


class HAProxy(Proxy):
    """HAProxy that passes connections on to one server."""

    def command(self) -> list[str]:
        """Write the configuration, and return how to start the proxy in the foreground."""
        (self.folder / "haproxy.cfg").write_text(f"""\
            global
                maxconn 256
            defaults
                mode tcp
                timeout connect 30s
                timeout client 60s
                timeout server 60s
            listen front
                bind fd@{self.listener.fileno()}
                {self.lines}
                server stentor {self.server} {self.options}
""")
        return [program("haproxy"), "-db", "-f", "haproxy.cfg"]


class Nginx(Proxy):
    """nginx that passes connections on to one server."""

    def command(self) -> list[str]:
        """Write the configuration, and return how to start the proxy in the foreground."""
        if not _STREAM_MODULE.exists():
            pytest.fail("nginx has no stream module: scripts/test-peers installs it, or says what to install")
        passing = f"proxy_pass {self.server}; {self.options} {self.lines or 'proxy_half_close on;'}"
        (self.folder / "nginx.conf").write_text(f"""\
            load_module {_STREAM_MODULE};
            daemon off;
            user root;
            worker_processes 1;
            pid {self.folder}/nginx.pid;
            error_log stderr warn;
            events {{ worker_connections 256; }}
            stream {{ server {{ listen {self.target}; {passing} }} }}
        """)
        return [program("nginx"), "-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"]


class Envoy(Proxy):
    """Envoy that passes connections on to one server; it binds the port beside the socket that it inherits."""

    def bound(self) -> socket.socket:
        """Return a socket that only reserves the port."""
        reserving = socket.socket()
        reserving.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserving.bind(("127.0.0.1", 0))
        return reserving

    def __enter__(self) -> Self:
        """Start it, and wait until it listens: nothing waits in a queue before."""
        super().__enter__()
        until(lambda: self.process.poll() is not None or self._listens(), "Envoy to listen")
        return self

    def _listens(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(self.address) == 0

    def command(self) -> list[str]:
        """Write the configuration, and return how to start the proxy in the foreground."""
        host, _, port = self.server.rpartition(":")
        proxy = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
        (self.folder / "envoy.yaml").write_text(f"""\
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {self.address[1]}}}}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config: {{"@type": {proxy}, stat_prefix: tcp, cluster: stentor, {self.lines}}}
  clusters:
  - name: stentor
    load_assignment:
      cluster_name: stentor
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: {host}, port_value: {port}}}}}}}
""")
        brief = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "error")
        return [f"{BIN}/envoy", "-c", "envoy.yaml", *brief]
