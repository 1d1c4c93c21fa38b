"""`python -m services.query`: answers questions from the read models in PostgreSQL."""

from services.app.entry import main

main("query_service")
