"""The command line: options, their types, and the configuration file."""
