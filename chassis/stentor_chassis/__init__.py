"""The common parts of Stentor's services: options, logs, metrics, admin endpoint, workers."""

__version__ = "0.1.0"
