"""Services that read a configuration file."""

from pathlib import Path

import pytest

from processes import ENVIRONMENT, Server, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file can be."""
    return tmp_path / "stentor.toml"


def test_serve(path: Path) -> None:
    """A server takes from the file what neither variable nor flag says, and from the variable what no flag says."""
    path.write_text("""\
        workers = 1
        transform = "echo" # here alone
        idle-timeout = "3m"
        max-age = "9s" # here and in the variable
        max-connections = 7 # here, in the variable and as a flag
        timeout = "5s" # an option of another command
    """)
    environment = {"STENTOR_MAX_AGE": "11s", "STENTOR_MAX_CONNECTIONS": "13", "STENTOR_CONFIG": str(path)}
    expected = {"transform": "echo", "idle_timeout_seconds": 180.0, "max_age_seconds": 11.0, "max_connections": 17}
    with Server("--max-connections", "17", environment=environment) as server:
        config = server.status()["config"]
        assert expected == {key: config[key] for key in expected}
        assert server.ask(b"echo") == b"echo"
        assert len(server.worker_pids()) == 1
    del environment["STENTOR_CONFIG"], environment["STENTOR_MAX_AGE"]
    with Server("--config", str(path), environment=environment) as server:
        config = server.status()["config"]
        assert (config["max_age_seconds"], config["max_connections"]) == (9.0, 13)


def test_health(path: Path) -> None:
    """The health check reads the file of the server that it asks, whatever else stands there."""
    path.write_text('transform = "echo"\nworkers = 1\n')
    with Server("--config", str(path)) as server:
        port, admin_port = server.address[1], server.admin.rpartition(":")[2]
        unaware = run("stentor-server", "health", "--port", str(port), "--admin-port", admin_port)
        assert unaware.returncode == 3
        path.write_text(f'transform = "echo"\nworkers = 1\nport = {port}\nadmin-port = {admin_port}\n')
        for named in (["--config", str(path)], []):
            environment = ENVIRONMENT if named else ENVIRONMENT | {"STENTOR_CONFIG": str(path)}
            ended = run("stentor-server", "health", *named, env=environment)
            assert (ended.returncode, ended.stderr) == (0, b"")


def test_send(shared_server: Server, path: Path) -> None:
    """The client takes its target from a file that may be the probe's as well; the flag goes before it."""
    path.write_text(f'target = "{shared_server.target}"\ninterval = "1s"\nsizes = 64\n')
    ended = run("stentor-client", "send", "--config", str(path), "hello")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"HELLO\n", b"")
    ended = run("stentor-client", "send", "--config", str(path), "--target", f"unix:{path}.sock", "hello")
    assert (ended.returncode, ended.stdout) == (3, b"")


def test_wrong_file(path: Path) -> None:
    """Whatever is wrong with the file is told before anything starts, in one line."""
    path.write_text("prot = 8080")
    for command in (("stentor-server", "serve"), ("stentor-server", "health"), ("stentor-client", "send")):
        ended = run(*command, "--config", str(path))
        assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1)
        assert b"--config" in ended.stderr
        assert b"'prot'" in ended.stderr
