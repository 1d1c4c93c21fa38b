"""How people write times, durations, words and topics, in files and at the command line."""
