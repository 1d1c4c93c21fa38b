"""What the processes of a cluster have in common: how they begin and how they end."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Final, TypeVar

from services.ledger.errors import MutuaError, SchemaAhead
from services.logs import set_up_logs
from services.memory import collect_seldom
from services.settings import Settings, read_settings

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1.0
_T = TypeVar("_T")


def main(run: Callable[[Settings], int]) -> None:
    """Runs a process with the settings of its environment, and exits with its status.

    What stops it is told in one line on stderr.
    """
    set_up_logs()
    try:
        settings = read_settings()
        set_up_logs(form=settings.log_format, level=settings.log_level)
        collect_seldom()
        status = run(settings)
    except (MutuaError, OSError) as error:
        logger.critical("%s", error)
        status = 1
    sys.exit(status)


async def when_there(build: Callable[[], _T], *, tell: Callable[[str], None]) -> _T:
    """What can be opened, as soon as it can; `tell` hears why not yet, once of each reason.

    Raises SchemaAhead: what a newer mutua made, this one will not read later either.
    """
    told = ""
    while True:
        try:
            return await asyncio.to_thread(build)
        except SchemaAhead:
            raise
        except MutuaError as error:
            if error.message != told:
                told = error.message
                tell(told)
        await asyncio.sleep(_AGAIN_SECONDS)
