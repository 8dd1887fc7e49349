"""Services that read a configuration file."""

from pathlib import Path

from processes import ENVIRONMENT, Server, run


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
