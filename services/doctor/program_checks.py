"""The program itself and the environment it is started in."""

import os
import re
import sqlite3
import sys
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from importlib.metadata import requires, version
from importlib.util import find_spec
from typing import Final

from services.adapters.sql_store.tables import MODEL_VERSION
from services.doctor.finding import Finding, note, ok, parse_problem

_PREFIX: Final = "MUTUA_"
_CRASH: Final = f"{_PREFIX}CRASH_AT"
_OTHERS: Final = tuple(f"{_PREFIX}{name}" for name in ("CRASH_AT", "DEV_DIR", "REAL_DATA", "TEST_"))
"""How those begin that are set by tests and by mutua dev."""
_PINNED: Final = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)$")


def check_settings(known: Collection[str]) -> Iterator[Finding]:
    """Whether everything that is set means something; `known` are the settings there are."""
    given = sorted(name for name in os.environ if name.startswith(_PREFIX) and os.environ[name])
    unknown = [name for name in given if name not in known and not name.startswith(_OTHERS)]
    for name in unknown:
        near = get_close_matches(name, known, 1)
        yield parse_problem(
            f"{name} is no setting; " + (f"did you mean {near[0]}?" if near else "unset it")
        )
    if os.environ.get(_CRASH):
        yield parse_problem(f"{_CRASH} ends processes at a named place; unset it outside of tests")
    if not unknown:
        yield ok(", ".join(given) or "all as they come")


def check_versions() -> Iterator[Finding]:
    """Whether the libraries are those that this mutua was made with."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield ok(
        f"mutua {version('mutua')}, read models {MODEL_VERSION}, Python {python}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
    for requirement in requires("mutua") or ():
        if found := _PINNED.match(requirement):
            name, wanted = found.groups()
            if version(name) != wanted:
                yield parse_problem(
                    f"{name} is {version(name)}, and its internals are used as they are in "
                    f"{wanted}; pip install '{name}=={wanted}'"
                )
    if find_spec("crc32c") is None:
        yield note(
            "kafka-python computes checksums in Python, at a part of its speed",
            "pip install crc32c",
        )
