"""A Kafka broker and a PostgreSQL for all tests of a process; each test has topics and databases.

MUTUA_TEST_BROKER (host:port) and MUTUA_TEST_POSTGRES (postgresql://...) name running ones instead.
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
from services.dev.programs import ChildProcess, Program, ProgramNotFoundError
from tests.cluster.broker import Broker
from tests.cluster.topics import temporary_topic
from tests.ports import allocate_port

START_SECONDS = 180.0

ResultT = TypeVar("ResultT")


os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
"""A broker of a test runs for minutes: optimizing its code costs more than it saves."""


@pytest.fixture(scope="session")
def private_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that a test may freeze and kill. The test must leave it running, for the others."""
    broker = Broker(build_or_skip(brokers.fetch_jars), tmp_path_factory.mktemp("broker"))
    yield broker
    broker.kill()


@pytest.fixture
def private_topic(private_broker: Broker) -> Iterator[str]:
    """The name of a new topic on `private_broker`."""
    yield from temporary_topic(private_broker.address)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> str:
    """The address of a broker, "127.0.0.1:PORT"."""
    address = os.environ.get("MUTUA_TEST_BROKER")
    if address:
        return address
    private_broker: Broker = request.getfixturevalue("private_broker")
    return private_broker.address


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL, "postgresql://USER:PASSWORD@127.0.0.1:PORT/postgres"."""
    build_or_skip(postgreses.find_programs)
    with run_postgres() as url:
        yield url


@pytest.fixture
def topic(broker: str) -> Iterator[str]:
    """The name of a new topic."""
    yield from temporary_topic(broker)


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    with temporary_database(postgres) as url:
        yield url


@contextmanager
def temporary_database(postgres: str) -> Iterator[str]:
    """The URL of a new database, which is dropped after the block."""
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
def run_broker() -> Iterator[str]:
    """The address of the broker that MUTUA_TEST_BROKER names, or of one that runs for the block."""
    address = os.environ.get("MUTUA_TEST_BROKER", "")
    if address:
        yield address
        return
    ports = {"port": allocate_port(), "controller_port": allocate_port()}
    with _running(lambda folder: brokers.prepare_broker(brokers.fetch_jars(), folder, **ports)):
        yield f"127.0.0.1:{ports['port']}"


@contextmanager
def run_postgres() -> Iterator[str]:
    """The URL that MUTUA_TEST_POSTGRES names, or that of a server that runs for the block."""
    url = os.environ.get("MUTUA_TEST_POSTGRES", "")
    if url:
        yield url
        return
    port = allocate_port()
    with _running(
        lambda folder: postgreses.prepare_postgres(postgreses.find_programs(), folder, port=port)
    ) as folder:
        yield postgreses.make_url(folder, port=port)


@contextmanager
def _running(build: Callable[[Path], Program]) -> Iterator[Path]:
    """Runs a program for the block, in a new folder, which it yields."""
    with temporary_shared_folder() as folder:
        child = ChildProcess(build(folder), folder / "log")
        try:
            child.wait_until_ready(seconds=START_SECONDS)
            yield folder
        finally:
            child.stop()


@contextmanager
def temporary_shared_folder() -> Iterator[Path]:
    """A new folder that other users can enter, because root starts PostgreSQL as another user."""
    with TemporaryDirectory(prefix="mutua-tests-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def build_or_skip(build: Callable[[], ResultT]) -> ResultT:
    """The result of `build`. Without the programs it needs, skips the test, or fails it in CI."""
    try:
        return build()
    except ProgramNotFoundError as error:
        if os.environ.get("CI"):
            pytest.fail(error.message)
        pytest.skip(error.message)
