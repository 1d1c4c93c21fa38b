"""The cluster as plain processes on one machine, for development and for the tests."""
