"""Structured logs, and the queue that keeps them from delaying the service."""
