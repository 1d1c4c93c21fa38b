"""Recording: facts are checked, then appended to the log."""
