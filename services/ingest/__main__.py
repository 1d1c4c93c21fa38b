"""`python -m services.ingest`: validates facts and appends them to Kafka."""

from services.app.ingest_service import run
from services.app.process import main

main(run)
