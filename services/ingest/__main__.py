"""`python -m services.ingest`: takes facts and puts them on Kafka."""

from services.cluster.ingest import run
from services.cluster.process import main

main(run)
