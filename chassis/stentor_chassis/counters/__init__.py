"""What is counted: in memory that all processes share, and exported to Prometheus."""
