"""Recording: validates facts and appends them to the log."""
