"""`python -m services.query`: answers questions from the read models in PostgreSQL."""

import os

# As the command `mutua` does, before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from services.app.process import main
from services.app.query_service import run

main(run)
