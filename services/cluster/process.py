"""What the processes of a cluster have in common: how they begin and how they end."""

import logging
import sys
from collections.abc import Callable

from pydantic import ValidationError

from services.ledger.errors import MutuaError
from services.settings import Settings


def main(run: Callable[[Settings], int]) -> None:
    """Runs a process with the settings of its environment, and exits with its status.

    What stops it is told in one line on stderr.
    """
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # While a broker is away it tells of every attempt; what matters of it is told by our own.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        status = run(Settings())
    except ValidationError as error:
        status = _refused("; ".join(_told(each) for each in error.errors()))
    except MutuaError as error:
        status = _refused(error.message)
    except OSError as error:
        status = _refused(str(error))
    sys.exit(status)


def _refused(what: str) -> int:
    sys.stderr.write(f"error: {what}\n")
    return 1


def _told(problem: object) -> str:
    assert isinstance(problem, dict)
    name = f"MUTUA_{str(problem['loc'][0]).upper()}"
    return f"{name} {'is not set' if problem['type'] == 'missing' else problem['msg'].lower()}"
