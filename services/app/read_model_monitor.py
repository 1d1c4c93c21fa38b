"""Follows the read models for ingest: their positions, and the fact kinds they support."""

import logging

from services.adapters.kafka.log import KafkaLog
from services.adapters.postgres.schema import require_active_schema
from services.adapters.postgres.watch import ProjectionStatus, watch
from services.adapters.wire.event import FACT_KIND_NUMBERS

logger = logging.getLogger(__name__)


# decision 0097: streams are held back by lag
class ReadModelMonitor:
    """The last known status of the active read models.

    Before it is known, no stream waits. It belongs to the event loop of `follow`.
    """

    def __init__(self, log: KafkaLog) -> None:
        self.unsupported_facts: frozenset[str] = frozenset()
        """Fact kinds, by field name of Event, that the projectors do not support yet."""
        self._log = log
        self._status: ProjectionStatus | None = None
        self._positions: dict[int, int] = {}
        self._trouble = ""

    def lag(self, programme_id: str) -> int:
        """Returns how many facts precede the programme's next fact and are not projected.

        The end of the log is the last position recorded by this process. A held partition counts 0,
        because it would make streams wait for ever.
        """
        status, end = self._status, self._log.last_appended_position(programme_id)
        if status is None or end is None or end.partition in status.hold_reasons:
            return 0
        if status.log_ids - {end.log_id}:
            return 0  # the read models were made from another log
        return max(0, end.next_offset - self._positions.get(end.partition, 0))

    async def follow(self, url: str) -> None:
        """Follows the read models until it is cancelled."""
        await watch(
            url,
            on_status=self._on_status,
            on_progress=self._on_position,
            on_unavailable=self._on_connection_lost,
            select_schema=require_active_schema,
        )

    async def _on_status(self, status: ProjectionStatus) -> None:
        self._trouble = ""
        self._status, self._positions = status, dict(status.positions)
        supported_kinds = status.fact_kinds or FACT_KIND_NUMBERS.values()
        refused = frozenset(
            name for name, kind in FACT_KIND_NUMBERS.items() if kind not in supported_kinds
        )
        if refused - self.unsupported_facts:
            logger.warning(
                "%s are refused: projectors do not support them yet; upgrade projectors first",
                ", ".join(sorted(refused)),
            )
        self.unsupported_facts = refused

    def _on_position(self, partition: int, next_offset: int) -> None:
        self._positions[partition] = next_offset

    async def _on_connection_lost(self, reason: str) -> None:
        if not self._trouble:
            logger.warning(
                "facts are recorded, but the status of the read models cannot be read: %s", reason
            )
        self._trouble = reason
