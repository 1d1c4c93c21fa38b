"""`python -m services.projector`: projects facts from Kafka into the read models."""

from services.app.process import main
from services.app.projector_service import run

main(run)
