"""Where the command starts: light, so that Ctrl-C is answered from the first moment on."""

import os
import sys

from services.app.gc_tuning import make_collection_rare


def main() -> None:
    """Runs `mutua`; exits 130 when interrupted before it has begun."""
    make_collection_rare()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # our own errors are clearer
    # Our matrices are small: threads make them five times slower, and other questions wait.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from services.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    run()
