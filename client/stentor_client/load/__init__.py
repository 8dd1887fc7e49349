"""`load`: a schedule of exchanges that does not wait for replies, and what came of it."""
