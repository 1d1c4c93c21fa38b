"""What is known of an import batch, and what stands in it."""

import difflib
import shlex
from collections.abc import Iterable, Sequence

from mutua import Client
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_RETRACTED,
    IDENTITY_RECORDED,
    Batch,
    Exchange,
    Question,
)
from services.imports.report import ImportRefused
from services.imports.rows import FIRST_GENERATION

AS_RECORDED = Question(identity=IDENTITY_RECORDED)


class Standing:
    """The exchanges of one batch, in the generation that a file imported now belongs to.

    A batch that was undone begins anew, with ids of its own: a retraction is final.
    """

    def __init__(
        self, client: Client, batch: str, known: Iterable[Batch], *, position: str
    ) -> None:
        self.batch = batch
        self._client = client
        self._position = position
        self._seen_count = 0
        ours = [each for each in known if each.batch == batch]
        latest = max(ours, key=lambda each: each.generation, default=None)
        self.generation = FIRST_GENERATION
        self._exchange_count = self._standing_count = 0
        if latest is not None and latest.undone:
            self.generation = latest.generation + 1
        elif latest is not None:
            self.generation = max(latest.generation, FIRST_GENERATION)
            self._exchange_count = latest.exchange_count
            self._standing_count = latest.exchange_count - latest.retracted_count

    def find(self, exchange_ids: Sequence[str]) -> dict[str, Exchange]:
        """Those that were recorded, retracted ones too. Each id is asked for once.

        Raises ImportRefused when an undo of the batch was begun and not finished.
        """
        if not self._exchange_count or not exchange_ids:
            return {}
        found = find_exchanges(self._client, exchange_ids, position=self._position)
        for exchange in found.values():
            if exchange.state != EXCHANGE_STATE_RETRACTED:
                self._seen_count += 1
            elif exchange.revisions[-1].source.batch == self.batch:
                raise ImportRefused(
                    f"Batch {self.batch} is being undone, and some of it stands: finish with "
                    f"mutua import undo {shlex.quote(self.batch)}, then import the file again."
                )
        return found

    def missing_count(self) -> int:
        """Exchanges of the batch that stand and were not looked for."""
        return max(0, self._standing_count - self._seen_count)


def find_exchanges(
    client: Client, exchange_ids: Sequence[str], *, position: str
) -> dict[str, Exchange]:
    """Those of the ids, 10,000 at most, that were recorded."""
    found = client.list_exchanges(
        AS_RECORDED,
        exchange_ids=exchange_ids,
        page_size=len(exchange_ids),
        min_position=position,
    )
    return {exchange.exchange_id: exchange for exchange in found}


def resembling(batch: str, known: Iterable[Batch]) -> str:
    """Such as " Did you mean calls-2026?", or "" when no name is alike."""
    names = sorted({each.batch for each in known})
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(batch.casefold(), folded, n=3)
    return f" Did you mean {' or '.join(folded[name] for name in near)}?" if near else ""
