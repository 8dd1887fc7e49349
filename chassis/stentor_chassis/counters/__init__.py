"""Metrics: counted in shared memory, exported to Prometheus."""
