"""The live page of the admin endpoint: what it shows, what it remembers, and how it is served."""
