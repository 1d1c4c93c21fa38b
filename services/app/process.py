"""What the processes of a cluster have in common: how they begin and how they end."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Final, TypeVar

from services.adapters.telemetry.logs import configure_logging
from services.app.gc_tuning import tune_for_serving
from services.ledger.errors import MutuaError, NewerSchemaError
from services.settings import Settings, read_settings

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1.0
_T = TypeVar("_T")


def main(run: Callable[[Settings], int]) -> None:
    """Runs a process with the settings of its environment, and exits with its status.

    What stops it is told in one line on stderr.
    """
    configure_logging()
    try:
        settings = read_settings()
        configure_logging(log_format=settings.log_format, level=settings.log_level)
        tune_for_serving()
        status = run(settings)
    except (MutuaError, OSError) as error:
        logger.critical("%s", error)
        status = 1
    sys.exit(status)


# decision 0057: liveness and readiness are separate
async def wait_until_available(
    build: Callable[[], _T], *, on_unavailable: Callable[[str], None]
) -> _T:
    """What can be opened, as soon as it can; `tell` hears why not yet, once of each reason.

    Raises NewerSchemaError: what a newer mutua made, this one will not read later either.
    """
    told = ""
    while True:
        try:
            return await asyncio.to_thread(build)
        except NewerSchemaError:
            raise
        except MutuaError as error:
            if error.message != told:
                told = error.message
                on_unavailable(told)
        await asyncio.sleep(_AGAIN_SECONDS)
