"""Ports for what tests start, some seconds before it listens on them.

Each process of pytest-xdist has its own, and gives none twice: two that draw the same one in these
seconds would be in each other's way.
"""

import os
from random import SystemRandom
from typing import Final

from services.dev.programs import PORT_RANGE, is_port_free

_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKER_COUNT: Final = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_OWN: Final = PORT_RANGE[_WORKER::_WORKER_COUNT]
_LEFT: Final = iter(SystemRandom().sample(_OWN, len(_OWN)))


def allocate_port() -> int:
    """A port of the loopback address on which nobody listens."""
    return next(port for port in _LEFT if is_port_free(port))
