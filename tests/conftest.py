"""Shared by all tests: folders in memory, real data, and Hypothesis runs that CI can repeat."""

import os
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from services.app.gc_tuning import make_collection_rare

pytest_plugins = ["tests.backing_services"]
make_collection_rare()

_MEMORY: Final = Path("/dev/shm")
_MIN_MEMORY_BYTES: Final = 6 << 30
"""The folders of all tests of two processes, with their brokers and databases, take a third."""


def _is_memory_usable() -> bool:
    """Whether programs can run from a folder in memory, and it has room for all tests."""
    if not _MEMORY.is_dir():
        return False
    status = os.statvfs(_MEMORY)
    has_room = status.f_bavail * status.f_frsize >= _MIN_MEMORY_BYTES
    return has_room and not status.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and _is_memory_usable():
    # Tests make thousands of small databases, which would mostly wait for the disk.
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None

settings.register_profile(
    "local", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Servers of tests run side by side.
os.environ["MUTUA_HTTP_LISTEN"] = "127.0.0.1:0"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data files. Without it, skips the test."""
    folder = os.environ.get("MUTUA_REAL_DATA")
    if not folder:
        pytest.skip("MUTUA_REAL_DATA names no folder with real data")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The documents' commands run first: at the end they would keep one of two workers waiting."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")
