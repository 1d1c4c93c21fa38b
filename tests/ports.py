"""Ports for processes that tests start and that listen some seconds later.

Each process of pytest-xdist draws from a range that the others do not use, and draws no port twice,
because two tests could draw the same free port in these seconds.
"""

import os
from random import SystemRandom
from typing import Final

from services.dev.programs import PORT_RANGE, is_port_free

_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKER_COUNT: Final = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_RANGE: Final = PORT_RANGE[_WORKER::_WORKER_COUNT]
_PORTS: Final = iter(SystemRandom().sample(_RANGE, len(_RANGE)))


def allocate_port() -> int:
    """A port of the loopback address on which nobody listens."""
    return next(port for port in _PORTS if is_port_free(port))
