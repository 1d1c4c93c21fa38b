"""`python -m services.projector`: projects facts from Kafka into the read models."""

from services.app.entry import main

main("projector_service")
