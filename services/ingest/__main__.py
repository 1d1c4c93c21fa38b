"""`python -m services.ingest`: validates facts and appends them to Kafka."""

from services.app.entry import main

main("ingest_service")
