"""Answers from flows in columns: pure functions of columns and a question."""
