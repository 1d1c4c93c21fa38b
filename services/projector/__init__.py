"""From the log to the read models."""
