"""Checks of the installed program and of its environment."""

import os
import re
import sqlite3
import sys
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from importlib.metadata import requires, version
from typing import Final

from services.adapters.sql_store.tables import MODEL_VERSION
from services.doctor.finding import Finding, ok, problem

_SETTING_PREFIX: Final = "MUTUA_"
_CRASH_SETTING: Final = f"{_SETTING_PREFIX}CRASH_AT"
_INTERNAL_SETTINGS: Final = tuple(
    f"{_SETTING_PREFIX}{name}" for name in ("CRASH_AT", "DEV_DIR", "REAL_DATA", "TEST_")
)
"""Prefixes of variables that tests and mutua dev set."""
_PINNED: Final = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)$")


def check_settings(settings: Collection[str]) -> Iterator[Finding]:
    """Checks that every variable is one of the `settings`, so that none is misspelt."""
    variables = sorted(
        name for name in os.environ if name.startswith(_SETTING_PREFIX) and os.environ[name]
    )
    unknown = [
        name
        for name in variables
        if name not in settings and not name.startswith(_INTERNAL_SETTINGS)
    ]
    for name in unknown:
        similar = get_close_matches(name, settings, 1)
        yield problem(
            f"{name} is no setting", f"did you mean {similar[0]}?" if similar else "unset it"
        )
    if os.environ.get(_CRASH_SETTING):
        yield problem(
            f"{_CRASH_SETTING} ends processes at a named place", "unset it outside of tests"
        )
    if not unknown:
        yield ok(", ".join(variables) or "all have their defaults")


def check_versions() -> Iterator[Finding]:
    """Checks that pinned libraries are installed in the pinned version."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield ok(
        f"mutua {version('mutua')}, read models {MODEL_VERSION}, Python {python}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
    for requirement in requires("mutua") or ():
        if match := _PINNED.match(requirement):
            name, pinned = match.groups()
            if version(name) != pinned:
                yield problem(
                    f"{name} is {version(name)}, and mutua uses internals of {pinned}",
                    f"pip install '{name}=={pinned}'",
                )
