"""Files out: the log whole, for keeping and for moving; and back into an empty directory."""
