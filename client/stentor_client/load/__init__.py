"""`load`: exchanges on a schedule that does not wait for replies."""
