"""Where the processes of a cluster start: light, for what must precede the other imports."""

import os
from importlib import import_module

from services.app.gc_tuning import make_collection_rare


def main(service: str) -> None:
    """Runs the process of a module of `services.app`, and exits with its status."""
    make_collection_rare()
    # Our matrices are small: threads make them five times slower, and other questions wait.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from services.app.process import main as run_process

    run_process(import_module(f"services.app.{service}").run)
