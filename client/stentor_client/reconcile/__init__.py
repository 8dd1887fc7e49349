"""`reconcile`: compares the counts of both sides, to the byte, under live traffic."""
