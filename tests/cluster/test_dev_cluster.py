"""The cluster of `mutua dev up`, used through the command line."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer

from mutua import Client
from services.adapters.kafka.address import KafkaAddress
from services.dev.cluster import read_status
from services.dev.directory import DevDirectory
from tests.cluster.dev_cluster import DevClusterCommands, new_dev_cluster
from tests.prometheus_scrape import scrape
from tests.waiting import wait_until

PROCESSES = ["postgres", "broker", "projector-1", "projector-2", "query", "ingest-1", "ingest-2"]


@pytest.fixture(scope="module")
def dev() -> Iterator[DevClusterCommands]:
    with new_dev_cluster() as commands:
        yield commands


def log(dev: DevClusterCommands, server: str, giver: str, receiver: str) -> None:
    done = dev.run(
        *("log", "--from", giver, "--to", receiver, "--kind", "call", "--minutes", "45"),
        server=server,
    )
    assert done.returncode == 0, done.stderr


def put_garbage(dev: DevClusterCommands) -> None:
    """Writes unreadable records, some to the wrong partition."""
    address = KafkaAddress.parse(DevDirectory(dev.path).read_state().log_url)
    with closing(KafkaProducer(bootstrap_servers=list(address.servers))) as producer:
        for partition in range(2):
            producer.send(address.topic, key=b"default", value=b"garbage", partition=partition)


def givers(server: str) -> set[str]:
    """The organizations that gave something, by the balances."""
    with Client(server) as client:
        return {row.organization_id for row in client.list_balances() if row.given > 0}


class TestDevCluster:
    def test_survives_killed_processes(self, dev: DevClusterCommands) -> None:
        with dev.start() as first:
            dev_status = dev.run_json("dev", "status", "--dir", str(dev.path))
            assert list(dev_status) == ["server", "processes"]
            assert [each["name"] for each in dev_status["processes"]] == PROCESSES
            assert {each["state"] for each in dev_status["processes"]} == {"ready"}
            ready = {
                each["name"]: scrape(each["metrics"]).by("mutua_ready", "service")
                for each in dev_status["processes"]
                if each["metrics"]
            }
            assert list(ready) == PROCESSES[2:]
            assert all(1 in each.values() for each in ready.values()), ready
            server = dev_status["server"]
            assert (dev.path / "broker" / "formatted-by").read_text() == "4.4.0\n"
            log(dev, server, "Thornwick", "Millbury")
            wait_until(lambda: givers(server) == {"Thornwick"}, "the exchange is answered")
            put_garbage(dev)
            wait_until(lambda: dev.run_dev("verify").stdout == "ok: 1 fact\n", "all is projected")

            second = dev.run_dev("up")
            assert second.returncode == 1
            assert f"process {first.pid}" in second.stderr

            os.kill(dev.find_process("projector-1").pid, signal.SIGKILL)
            wait_until(lambda: dev.find_process("projector-1").restarts == 1, "it is started again")
            log(dev, server, "Ashford", "Millbury")
            wait_until(
                lambda: givers(server) == {"Thornwick", "Ashford"}, "the next one is answered"
            )
            wait_until(
                lambda: dev.find_process("projector-1").state == "ready", "it is ready again"
            )
            assert (
                "ended with code -9; it is started again"
                in dev.run_dev("logs", "projector-1").stdout
            )

            assert dev.run_dev("down").stdout == "The cluster has ended; its data stay.\n"
            assert first.wait() == 0
        assert DevDirectory(dev.path).find_processes() == []
        assert dev.run_dev("status").returncode == 1

        with dev.start() as again:
            assert read_status(dev.path).server == server
            assert givers(server) == {"Thornwick", "Ashford"}
            assert dev.run_dev("verify").stdout == "ok: 2 facts\n"
            again.kill()
            again.wait()
            dev.run_dev("down")
            assert DevDirectory(dev.path).find_processes() == []
            assert dev.run_dev("down").stdout == "Nothing runs.\n"
