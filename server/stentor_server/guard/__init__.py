"""What protects the server: admission, address limits and time-outs."""
