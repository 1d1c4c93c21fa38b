"""A Kafka broker and a PostgreSQL for the run, and of them what each test has to itself.

MUTUA_TEST_BROKER (host:port) and MUTUA_TEST_POSTGRES (postgresql://...) name others to use instead.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from services.dev import broker as brokers
from services.dev import postgres as postgreses
from services.dev.programs import Child, Missing, Program
from tests.cluster.topics import new_topic
from tests.ports import free_port

START_SECONDS = 180.0

Built = TypeVar("Built")


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The address of a broker, "127.0.0.1:PORT"."""
    or_skipped(brokers.fetch)
    with running_broker() as address:
        yield address


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Where a PostgreSQL is, "postgresql://USER:PASSWORD@127.0.0.1:PORT/postgres"."""
    or_skipped(postgreses.find_programs)
    with running_postgres() as url:
        yield url


@pytest.fixture
def topic(broker: str) -> Iterator[str]:
    """The name of a topic that is new."""
    yield from new_topic(broker)


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """Where a database is that is new and empty."""
    with new_database(postgres) as url:
        yield url


@contextmanager
def new_database(postgres: str) -> Iterator[str]:
    """Where it is; dropped afterwards."""
    name = f"test_{uuid4().hex}"
    asyncio.run(execute(postgres, f"CREATE DATABASE {name}"))
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    asyncio.run(execute(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def execute(url: str, statement: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.execute(statement))
    finally:
        await connection.close()


@contextmanager
def running_broker() -> Iterator[str]:
    """The address of the one that was named, or of a new one for the time of the block."""
    given = os.environ.get("MUTUA_TEST_BROKER", "")
    if given:
        yield given
        return
    ports = {"port": free_port(), "controller_port": free_port()}
    with _running(lambda folder: brokers.broker(brokers.fetch(), folder, **ports)):
        yield f"127.0.0.1:{ports['port']}"


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of the one that was named, or of a new one for the time of the block."""
    given = os.environ.get("MUTUA_TEST_POSTGRES", "")
    if given:
        yield given
        return
    port = free_port()
    with _running(
        lambda folder: postgreses.postgres(postgreses.find_programs(), folder, port=port)
    ) as folder:
        yield postgreses.url(folder, port=port)


@contextmanager
def _running(build: Callable[[Path], Program]) -> Iterator[Path]:
    """Runs a program for the time of the block, in a folder of its own, which it yields."""
    with reachable_folder() as folder:
        child = Child(build(folder), folder / "log")
        try:
            child.wait_until_ready(seconds=START_SECONDS)
            yield folder
        finally:
            child.stop()


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A new folder that others may pass through: root starts PostgreSQL as another user."""
    with TemporaryDirectory(prefix="mutua-tests-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def or_skipped(build: Callable[[], Built]) -> Built:
    """What is built; where something for it is missing the test is skipped, and fails in CI."""
    try:
        return build()
    except Missing as missing:
        if os.environ.get("CI"):
            pytest.fail(missing.message)
        pytest.skip(missing.message)
