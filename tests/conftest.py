"""Shared by all tests: real data if there is any, and Hypothesis runs that CI can repeat."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from services.app.gc_tuning import make_collection_rare

pytest_plugins = ["tests.backing_services"]
make_collection_rare()

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
