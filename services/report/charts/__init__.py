"""Charts of the report: pure functions from what the report knows to inline SVG."""
