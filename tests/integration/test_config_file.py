"""Services that read a configuration file."""

from pathlib import Path

from processes import ENVIRONMENT, Server, run


def test_serve(tmp_path: Path) -> None:
    """Flags override variables, and variables override the file, which may hold options of other commands."""
    path = tmp_path / "stentor.toml"
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


def test_health(tmp_path: Path) -> None:
    """The health check reads the file of the server that it asks, and its variables, whatever else they set."""
    path = tmp_path / "stentor.toml"
    path.write_text('transform = "echo"\nworkers = 1\n')
    with Server("--config", str(path)) as server:
        admin_port = server.admin.rpartition(":")[2]
        path.write_text(f'transform = "echo"\nport = 1\nunix = "/no/such"\nadmin-port = {admin_port}\n')
        for named in (["--config", str(path)], []):
            environment = ENVIRONMENT | {"STENTOR_TLS_CERT": "/no/such", "STENTOR_PROXY_PROTOCOL": "v2"}
            environment |= {} if named else {"STENTOR_CONFIG": str(path)}
            ended = run("stentor-server", "health", *named, env=environment)
            assert (ended.returncode, ended.stderr) == (0, b"")
