"""`health`: whether a running client is well."""
