"""What the processes of a cluster have in common: how they begin and how they end."""

import logging
import sys
from collections.abc import Callable

from services.ledger.errors import MutuaError
from services.memory import collect_seldom
from services.settings import Settings, read_settings


def main(run: Callable[[Settings], int]) -> None:
    """Runs a process with the settings of its environment, and exits with its status.

    What stops it is told in one line on stderr.
    """
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # While a broker is away they tell of every attempt; what matters of it is told by our own.
    for name in ("aiokafka", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        settings = read_settings()
        collect_seldom()
        status = run(settings)
    except (MutuaError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        status = 1
    sys.exit(status)
