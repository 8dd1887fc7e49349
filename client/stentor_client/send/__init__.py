"""`send`: a filter that verifies the reply."""
