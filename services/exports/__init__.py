"""Exports a log to a file and replays it into an empty data directory or topic."""
