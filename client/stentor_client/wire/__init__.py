"""The way to the server: targets, name lookup, dialing, and the connection."""
