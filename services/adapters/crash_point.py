"""Named places at which a test can end the process as kill -9 would."""

import os
from collections import Counter

_reached: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Ends the process at the n-th visit when MUTUA_CRASH_AT is `name:n`."""
    wanted = os.environ.get("MUTUA_CRASH_AT")
    if not wanted:
        return
    where, _, count = wanted.partition(":")
    if where == name:
        _reached[name] += 1
        if _reached[name] >= int(count or 1):
            os._exit(137)
