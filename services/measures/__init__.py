"""Measures of reciprocity: pure functions of a weighted directed graph."""
