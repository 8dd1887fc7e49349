"""Messages, and the verification of their replies."""
