"""Checks that find what keeps mutua from working, or soon will."""
