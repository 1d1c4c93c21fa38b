"""Reads and writes times, durations, words and topics as people write them."""
