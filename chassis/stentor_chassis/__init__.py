"""What every Stentor service needs and no service owns: options, logs, metrics, admin endpoint, workers."""

__version__ = "0.1.0"
