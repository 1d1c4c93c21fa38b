"""PostgreSQL: the read models of a cluster."""
