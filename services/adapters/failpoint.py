"""Failpoints: named places where a test can kill or freeze the process."""

import os
import signal
from collections import Counter
from typing import Final

_CRASH: Final = "MUTUA_CRASH_AT"
_FREEZE: Final = "MUTUA_FREEZE_AT"

_visit_counts: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Ends the process as kill -9 would, on the n-th visit, if MUTUA_CRASH_AT is `name:n`.

    MUTUA_FREEZE_AT stops the process there until it receives SIGCONT.
    """
    if _is_due(_CRASH, name):
        os._exit(137)
    if _is_due(_FREEZE, name):
        os.kill(os.getpid(), signal.SIGSTOP)


def _is_due(variable: str, name: str) -> bool:
    setting = os.environ.get(variable)
    if not setting:
        return False
    failpoint_name, _, count = setting.partition(":")
    if failpoint_name != name:
        return False
    _visit_counts[variable] += 1
    return _visit_counts[variable] == int(count or 1)
