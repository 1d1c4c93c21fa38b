"""Read models in SQL: what SQLite and PostgreSQL share."""
