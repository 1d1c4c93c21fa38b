"""Clients of kafka-python that leave nothing behind when they cannot be opened, and say why."""

from collections.abc import Callable
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from services.adapters.kafka.address import KafkaAddress


def open_client(make: Callable[..., Any], address: KafkaAddress, **options: Any) -> Any:
    """The client that `make` makes. Raises the KafkaError that kept it from a broker.

    kafka-python 3.0.12 would say that it took too long, whatever the reason, and leave a thread and
    three open files behind: too many after an hour without a broker.
    """
    used: list[Any] = []
    tried: list[Any] = []

    def connect(**configs: Any) -> Any:
        used.append(client := KafkaNetClient(**configs))
        manager = client._manager
        go_on = manager._connect

        async def remember(node: Any, connection: Any, **how: Any) -> None:
            tried.append(connection)
            await go_on(node, connection, **how)

        manager._connect = remember
        return client

    try:
        return make(**{**address.client_options(), **options, "kafka_client": connect})
    except KafkaError as error:
        why = _failure(tried) if isinstance(error, KafkaTimeoutError) else None
        for client in used:
            client.close()
        raise why or error from None


def _failure(tried: list[Any]) -> Exception | None:
    """What the brokers that were tried failed with: that they refuse us, else what came first."""
    futures = [connection.init_future for connection in tried]
    failures = [future.exception for future in futures if future.is_done and future.exception]
    return next(
        (each for each in failures if isinstance(each, SaslAuthenticationFailedError)),
        next(iter(failures), None),
    )
