"""SQLite: the log, the read models and the data directory of one process."""
