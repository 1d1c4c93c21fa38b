"""open_client leaks nothing if it fails."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.client import open_client


class TestOpenClient:
    @pytest.mark.parametrize("make", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
    def test_failure_leaks_no_thread_or_file(
        self,
        make: Callable[..., Any],
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = KafkaAddress(servers=(f"127.0.0.1:{silent.getsockname()[1]}",), topic="any")

            def attempt() -> tuple[int, int]:
                with pytest.raises(KafkaError):
                    open_client(make, address, bootstrap_timeout_ms=50)
                return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

            assert len({attempt() for _ in range(5)}) == 1
