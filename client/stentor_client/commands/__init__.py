"""The commands of the client: what each takes, and what it hands on."""
