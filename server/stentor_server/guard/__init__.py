"""Protection of the server: admission, address limits and time-outs."""
