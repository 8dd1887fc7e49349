"""The admin endpoint of every service, over HTTP."""
