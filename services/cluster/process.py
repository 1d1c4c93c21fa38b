"""What the processes of a cluster have in common: how they begin and how they end."""

import logging
import sys
from collections.abc import Callable

from services.ledger.errors import MutuaError
from services.logs import set_up_logs
from services.memory import collect_seldom
from services.settings import Settings, read_settings

logger = logging.getLogger(__name__)


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
