"""Named places at which a test can end the process as kill -9 would, or have it stand still."""

import os
import signal
from collections import Counter
from typing import Final

_CRASH: Final = "MUTUA_CRASH_AT"
_FREEZE: Final = "MUTUA_FREEZE_AT"

_reached: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Ends the process at the n-th visit when MUTUA_CRASH_AT is `name:n`.

    When MUTUA_FREEZE_AT is, the process stands still there until it gets SIGCONT.
    """
    if _is_meant(_CRASH, name):
        os._exit(137)
    if _is_meant(_FREEZE, name):
        os.kill(os.getpid(), signal.SIGSTOP)


def _is_meant(variable: str, name: str) -> bool:
    wanted = os.environ.get(variable)
    if not wanted:
        return False
    where, _, count = wanted.partition(":")
    if where != name:
        return False
    _reached[variable] += 1
    return _reached[variable] == int(count or 1)
