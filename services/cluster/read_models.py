"""What those who record know of the read models: how far they are, and which facts they know."""

import logging

from services.adapters.kafka_log import KafkaLog
from services.adapters.postgres_schema import to_follow
from services.adapters.postgres_watch import Seen, watch
from services.adapters.wire.event import FACT_KINDS

logger = logging.getLogger(__name__)


class ReadModels:
    """Those that answer, as they were seen last; before they were seen nothing holds anybody back.

    Belongs to the event loop of `follow`.
    """

    def __init__(self, log: KafkaLog) -> None:
        self.refused: frozenset[str] = frozenset()
        """The facts, by their field of Event, that they do not know yet."""
        self._log = log
        self._seen: Seen | None = None
        self._positions: dict[int, int] = {}
        self._trouble = ""

    def lag(self, programme_id: str) -> int:
        """How many facts are to be projected before those that a programme records next.

        The end of the log is that of the last fact recorded here. What is held will not come
        closer, and holds nobody back.
        """
        seen, end = self._seen, self._log.last_seen(programme_id)
        if seen is None or end is None or end.partition in seen.held:
            return 0
        if seen.log_ids - {end.log_id}:
            return 0  # they were made from another log
        return max(0, end.next_offset - self._positions.get(end.partition, 0))

    async def follow(self, url: str) -> None:
        """Looks for ever."""
        await watch(
            url, on_seen=self._see, on_moved=self._move, on_lost=self._lose, choose=to_follow
        )

    async def _see(self, seen: Seen) -> None:
        self._trouble = ""
        self._seen, self._positions = seen, dict(seen.positions)
        known = seen.fact_kinds or FACT_KINDS.values()
        refused = frozenset(name for name, kind in FACT_KINDS.items() if kind not in known)
        if refused - self.refused:
            logger.warning(
                "%s are refused: projectors do not know them yet, upgrade these first",
                ", ".join(sorted(refused)),
            )
        self.refused = refused

    def _move(self, partition: int, next_offset: int) -> None:
        self._positions[partition] = next_offset

    async def _lose(self, reason: str) -> None:
        if not self._trouble:
            logger.warning("facts are taken, but nothing is known of the read models: %s", reason)
        self._trouble = reason
