"""`python -m services.ingest`: takes facts and puts them on Kafka."""

from services.app.ingest_service import run
from services.app.process import main

main(run)
