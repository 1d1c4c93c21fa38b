"""Sends facts, reports progress, and waits until answers include them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mutua import Client
from mutua import MutuaError as ClientError
from mutua.v1.event_pb2 import Event
from services.imports.report import ImportInterruptedError
from services.ledger.errors import MutuaError

SendProgress = Callable[[int, int], None]
"""Called with the number of durable facts and their total, each time it grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The number of recorded facts and the position after them.

    `note` has the reason why answers do not include them yet. `interrupted` is true when the user
    did not wait.
    """

    count: int
    position: str = ""
    note: str = ""
    interrupted: bool = False


class FactRefusedError(MutuaError):
    """The server refused a fact; `acknowledged` facts before it are recorded."""

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
    """Sends facts. Raises ImportInterruptedError, which contains `remedy`, and FactRefusedError."""
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
    return _wait_until_visible(client, SendResult(count=acknowledged, position=position))


def _wait_until_visible(client: Client, result: SendResult) -> SendResult:
    try:
        client.get_status(min_position=result.position)
    except (KeyboardInterrupt, ClientError) as error:
        reason = str(error) or "interrupted while waiting for them."
        return replace(
            result,
            note=f"All is recorded, but answers do not show it yet: {reason}",
            interrupted=isinstance(error, KeyboardInterrupt),
        )
    return result
