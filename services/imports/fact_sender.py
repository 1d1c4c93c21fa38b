"""Sends facts, tells how far that is, and waits until answers show them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mutua import Client
from mutua import MutuaError as ClientError
from mutua.v1.event_pb2 import Event
from services.imports.report import ImportInterruptedError
from services.ledger.errors import MutuaError

SendProgress = Callable[[int, int], None]
"""Told, whenever more is durable, how many facts of how many are recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """So many facts are recorded up to a position.

    `note` says why answers do not show them yet; `interrupted`, that the user did not wait.
    """

    count: int
    position: str = ""
    note: str = ""
    interrupted: bool = False


class FactRefusedError(MutuaError):
    """The server refuses a fact; `acknowledged` facts before it are recorded."""

    def __init__(self, error: ClientError, acknowledged: int) -> None:
        super().__init__(str(error))
        self.field_violations = error.field_violations
        self.acknowledged = acknowledged


def send_facts(
    client: Client,
    facts: Iterable[Event],
    *,
    total: int,
    remedy: str,
    progress: SendProgress | None = None,
) -> SendResult:
    """Raises ImportInterruptedError, which tells the `remedy`, and FactRefusedError."""
    acknowledged, position = 0, ""
    try:
        for recorded in client.record_stream(facts):
            acknowledged += recorded.count
            position = recorded.position
            if progress is not None:
                progress(acknowledged, total)
    except (KeyboardInterrupt, ClientError) as error:
        if isinstance(error, ClientError) and error.field_violations:
            raise FactRefusedError(error, acknowledged) from error
        raise ImportInterruptedError(
            error, acknowledged=acknowledged, total=total, remedy=remedy
        ) from error
    return _visible(client, SendResult(count=acknowledged, position=position))


def _visible(client: Client, sent: SendResult) -> SendResult:
    try:
        client.get_status(min_position=sent.position)
    except (KeyboardInterrupt, ClientError) as error:
        why = str(error) or "interrupted while waiting for them."
        return replace(
            sent,
            note=f"All is recorded, but answers do not show it yet: {why}",
            interrupted=isinstance(error, KeyboardInterrupt),
        )
    return sent
