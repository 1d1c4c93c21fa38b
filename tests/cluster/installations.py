"""Installations of either size that record the same facts, with the processes that answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from kafka import KafkaProducer

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from tests.cluster.answer_comparison import DEADLINE_SECONDS
from tests.cluster.dev_cluster import run_mutua
from tests.cluster.parity_facts import DPDK, KIND_MAP_OPTIONS, generate_recordings
from tests.cluster.question_stub import QuestionStub
from tests.cluster.service_process import ServiceProcess
from tests.exports.recorded_logs import append_records
from tests.faults.server_process import run_server

_OPTIONS = (("grpc.max_receive_message_length", 64 << 20),)


@dataclass(frozen=True, slots=True)
class Installation:
    """A server that records facts, and stubs of all processes that answer."""

    server: str
    stubs: Sequence[QuestionStub]

    def run_command(self, programme: str, *words: str) -> str:
        """Runs a command on a programme and returns its output."""
        completed = run_mutua("--programme", programme, *words, server=self.server)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def import_reviews(self, path: Path) -> None:
        kinds = [word for option in KIND_MAP_OPTIONS for word in ("--kind-map", option)]
        self.run_command(DPDK, "import", "exchanges", str(path), *kinds)

    def record(self, programme: str) -> None:
        for organization, events in generate_recordings(programme):
            with Client(self.server, programme, organization, DEADLINE_SECONDS) as client:
                for _ in client.record_in_batches(events):
                    pass

    def resubmit_first(self, programme: str, reason: pb.QuarantineReason.ValueType) -> None:
        """Resubmits the first record that is quarantined for a reason."""
        with Client(self.server, programme) as client:
            record = next(record for record in client.list_quarantine() if record.reason == reason)
        self.run_command(programme, "quarantine", "resubmit", str(record.offset), "--yes")

    def wait_until_projected(self, programme: str) -> None:
        """Returns when every process answers from the whole log."""
        for stub in self.stubs:
            end = stub.GetStatus(pb.GetStatusRequest(programme_id=programme)).log_position
            request = pb.GetStatusRequest(programme_id=programme, min_position=end)
            stub.GetStatus(request, timeout=DEADLINE_SECONDS)


@contextmanager
def run_embedded(data: Path, garbage: Sequence[tuple[str, bytes]]) -> Iterator[Installation]:
    """Serves a data directory whose log starts with records that no client would send."""
    append_records(data, garbage)
    with run_server(data) as (_, address), open_stubs([address]) as stubs:
        yield Installation(address, stubs)


@contextmanager
def run_cluster(
    urls: tuple[str, str], folder: Path, garbage: Sequence[tuple[str, bytes]]
) -> Iterator[Installation]:
    """Runs a cluster on a log and a database (`urls`), with garbage as `run_embedded`."""
    append_garbage(urls[0], garbage)
    with (
        run_services(("projector", "projector", "ingest", "query", "query"), urls, folder) as (
            *_,
            ingest,
            query,
            other_query,
        ),
        open_stubs([query, other_query]) as stubs,
    ):
        yield Installation(f"{ingest},{query}", stubs)


@contextmanager
def run_replayed(file: Path, urls: tuple[str, str], folder: Path) -> Iterator[Installation]:
    """Runs a cluster on a new topic with an exported log and on a new database."""
    for words in (("topic", "create"), ("replay", str(file))):
        completed = run_mutua(*words, "--log-url", urls[0])
        assert completed.returncode == 0, completed.stderr
    with (
        run_services(("projector", "query", "query"), urls, folder) as (_, *queries),
        open_stubs(queries) as stubs,
    ):
        yield Installation(queries[0], stubs)


@contextmanager
def run_services(names: Sequence[str], urls: tuple[str, str], folder: Path) -> Iterator[list[str]]:
    """Runs processes and yields their addresses once they are ready."""
    processes = [
        ServiceProcess(name, folder, *urls, MUTUA_INSTANCE=f"{name}-{number}")
        for number, name in enumerate(names)
    ]
    try:
        yield [process.wait_for_address() for process in processes]
    finally:
        for process in processes:
            process.kill()


@contextmanager
def open_stubs(addresses: Sequence[str]) -> Iterator[list[QuestionStub]]:
    with ExitStack() as channels:
        yield [
            QuestionStub(channels.enter_context(grpc.insecure_channel(address, options=_OPTIONS)))
            for address in addresses
        ]


def append_garbage(log_url: str, values: Sequence[tuple[str, bytes]]) -> None:
    """Appends records with the right partition and arbitrary bytes."""
    address = KafkaAddress.parse(log_url)
    with (
        closing(KafkaTopic(address)) as log,
        closing(KafkaProducer(bootstrap_servers=list(address.servers))) as producer,
    ):
        for programme, value in values:
            partition = log.find_partition(programme)
            producer.send(address.topic, key=programme.encode(), value=value, partition=partition)
        producer.flush()
