"""Ingest processes under test."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.service_process import ServiceProcess


@contextmanager
def run_ingest(log_url: str, **settings: str) -> Iterator[ServiceProcess]:
    """Runs an ingest process, which need not be ready yet."""
    with (
        TemporaryDirectory() as folder,
        closing(ServiceProcess("ingest", Path(folder), log_url, **settings)) as running,
    ):
        yield running
