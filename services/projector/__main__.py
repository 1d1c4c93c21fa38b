"""`python -m services.projector`: projects facts from Kafka into the read models."""

from services.cluster.process import main
from services.cluster.projector import run

main(run)
