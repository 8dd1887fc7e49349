"""Real proxies in front of a server, as child processes."""

import os
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from peers import program

_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")  # where Debian and Ubuntu put it


class Proxy:
    """A proxy that inherits its listening socket.

    So its port is its own from the beginning, and who connects before it has started waits in the queue. If it does not
    start, the queue goes with it, and its own words are in the output of the test.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the configuration in `folder`."""
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listener.getsockname()

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and be sure that it is gone."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def target(self) -> str:
        """Where it listens, as the client's `--target`."""
        return "{}:{}".format(*self.address)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Return a new connection to it."""
        return socket.create_connection(self.address, 30, source_address=(source, 0))


class HAProxy(Proxy):
    """HAProxy that passes connections on to one server."""

    def __init__(self, folder: Path, target: str, options: str = "") -> None:
        """`options` are those of HAProxy's line `server`."""
        super().__init__(folder)
        self._server = f"{target} {options}"

    def command(self) -> list[str]:
        """Write the configuration, and return how to start the proxy in the foreground."""
        configuration = f"""
            global
                maxconn 256
            defaults
                mode tcp
                timeout connect 5s
                timeout client 30s
                timeout server 30s
            listen front
                bind fd@{self.listener.fileno()}
                server stentor {self._server}
        """
        (self.folder / "haproxy.cfg").write_text(f"{configuration.strip()}\n")  # it insists on the last line's end
        return [program("haproxy"), "-db", "-f", "haproxy.cfg"]


class Nginx(Proxy):
    """nginx that passes connections on to one server."""

    def __init__(self, folder: Path, target: str, options: str = "") -> None:
        """`options` are directives of nginx's block `server`."""
        super().__init__(folder)
        self._server = f"proxy_pass {target}; {options}"

    def command(self) -> list[str]:
        """Write the configuration, and return how to start the proxy in the foreground."""
        if not _STREAM_MODULE.exists():
            pytest.fail("nginx has no stream module: scripts/test-peers installs it, or says what to install")
        host, port = self.address
        (self.folder / "nginx.conf").write_text(f"""\
            load_module {_STREAM_MODULE};
            daemon off;
            user root;
            worker_processes 1;
            pid {self.folder}/nginx.pid;
            error_log stderr warn;
            events {{ worker_connections 256; }}
            stream {{ server {{ listen {host}:{port}; proxy_half_close on; {self._server} }} }}
        """)
        return [program("nginx"), "-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"]
