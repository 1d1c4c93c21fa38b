"""`python -m services.query`: answers questions from the read models in PostgreSQL."""

from services.cluster.process import main
from services.cluster.query import run

main(run)
