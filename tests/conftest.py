"""What all tests share: real data where it is, and hypothesis runs that CI can repeat."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import fresh_database

settings.register_profile(
    "local", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data files; tests that need it skip where there is none."""
    folder = os.environ.get("MUTUA_REAL_DATA")
    if not folder:
        pytest.skip("MUTUA_REAL_DATA names no folder with real data")
    return Path(folder)


@pytest.fixture(scope="session")
def postgres() -> str:
    """The URL of a database in which others can be made."""
    found = os.environ.get("MUTUA_TEST_POSTGRES", "")
    if not found:
        missing = "MUTUA_TEST_POSTGRES names no database"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The URL of an empty database for one test."""
    with fresh_database(postgres) as url:
        yield url
