"""`probe`: continuous verified exchanges."""
