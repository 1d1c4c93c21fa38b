"""Opens clients of kafka-python; a failed attempt leaks nothing and raises the true cause."""

from collections.abc import Callable
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from services.adapters.kafka.address import KafkaAddress


def open_client(make: Callable[..., Any], address: KafkaAddress, **options: Any) -> Any:
    """Opens the client that `make` constructs. Raises the KafkaError that kept it from a broker.

    kafka-python 3.0.12 itself reports a timeout whatever the cause, and leaks a thread and three
    open files: a process would run out of files after an hour without a broker.
    """
    clients: list[Any] = []
    connections: list[Any] = []

    def connect(**configs: Any) -> Any:
        clients.append(client := KafkaNetClient(**configs))
        manager = client._manager
        connect_node = manager._connect

        async def record_connection(node: Any, connection: Any, **how: Any) -> None:
            connections.append(connection)
            await connect_node(node, connection, **how)

        manager._connect = record_connection
        return client

    try:
        return make(**{**address.client_options(), **options, "kafka_client": connect})
    except KafkaError as error:
        cause = _find_cause(connections) if isinstance(error, KafkaTimeoutError) else None
        for client in clients:
            client.close()
        raise cause or error from None


def _find_cause(connections: list[Any]) -> Exception | None:
    """The failure of the connections: refused credentials if there are, else the first one."""
    futures = [connection.init_future for connection in connections]
    failures = [future.exception for future in futures if future.is_done and future.exception]
    return next(
        (failure for failure in failures if isinstance(failure, SaslAuthenticationFailedError)),
        next(iter(failures), None),
    )
