"""`python -m services.query`: answers questions from the read models in PostgreSQL."""

from services.app.process import main
from services.app.query_service import run

main(run)
