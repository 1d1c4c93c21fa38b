"""Finds the exchanges that a batch recorded, by the rows of its file."""

import difflib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from mutua import Client
from mutua.ids import uuid8
from mutua.limits import MAX_PAGE_SIZE
from mutua.organization_directory import AmbiguousNameError, OrganizationDirectory
from mutua.spelling import name_key
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_RETRACTED,
    IDENTITY_RECORDED,
    Batch,
    Exchange,
    Question,
)
from services.imports.report import ImportRefusedError
from services.imports.row_identity import RowIdentity

AS_RECORDED = Question(identity=IDENTITY_RECORDED)
FIRST_GENERATION: Final = 1

Item = TypeVar("Item")


class ExchangeMatch(NamedTuple):
    """The exchange of a row, in whatever state it is.

    `is_retracted_by_hand` is true when somebody retracted it other than by an undo. `next_id` is
    the id for recording the row anew, where that is allowed.
    """

    exchange: Exchange
    is_retracted_by_hand: bool
    next_id: str


class _Slot(NamedTuple):
    """One way to derive the id of a row.

    Releases before 0.2 derived ids without the sender, and ids of rows without a reference from
    their raw text (`is_raw`).
    """

    generation: int
    sender: str
    is_raw: bool


# decision 0029: an undo ends a generation
class ImportBatch:
    """The exchanges of one sender's batch, and the generation of a file that is imported now.

    A batch that was undone begins a new generation, with other ids, because a retraction is final.
    `resolve` maps an id or name to its organization, so a sender that was recorded under another
    name is the same sender. Batches imported without a sender count as this sender's.
    """

    def __init__(
        self,
        client: Client,
        batch: str,
        *,
        rule: str,
        position: str,
        resolve: Callable[[str], str] = str,
    ) -> None:
        self.name, self.sender = batch, client.organization
        self.position = position
        self._client, self._rule = client, rule
        batches = list(client.list_batches(min_position=position))
        namesakes = [item for item in batches if item.batch == batch]
        senders = {
            item.recorded_by for item in namesakes if resolve(item.recorded_by) == self.sender
        }
        self._senders = {self.sender, *senders}
        own_batches = [item for item in namesakes if item.recorded_by in self._senders]
        # Ids derived without a sender may be of exchanges that any sender recorded. An import
        # without a sender has no other ids, so every batch of the name matters to it.
        self._relevant = [
            item
            for item in namesakes
            if not self.sender or item.recorded_by in {*self._senders, ""}
        ]
        recorded_batches = [item for item in own_batches if item.exchange_count] or self._relevant
        self.generation = max((item.generation for item in recorded_batches), default=1)
        self.generation = max(self.generation, FIRST_GENERATION)
        latest_batches = [item for item in recorded_batches if item.generation == self.generation]
        if latest_batches and all(item.undone for item in latest_batches):
            self.generation += 1
        self.has_exchanges = any(item.exchange_count for item in self._relevant)
        self.other_batches = [
            item
            for item in batches
            if item.batch != batch or item.recorded_by not in {*self._senders, ""}
        ]
        """Batches that `find` does not search."""
        self._slots = tuple(dict.fromkeys(self._list_slots()))
        self._unretracted_count = sum(
            item.exchange_count - item.retracted_count for item in own_batches
        )
        self.matched_ids: set[str] = set()

    def derive_id(self, key: str) -> str:
        """The id under which a row is recorded for the first time."""
        return self._id_in(self._slots[0], key)

    def find(self, rows: Sequence[RowIdentity]) -> dict[str, ExchangeMatch]:
        """The exchanges of these rows, by key, retracted ones included.

        Raises ImportRefusedError when an undo of the batch is unfinished.
        """
        if not self.has_exchanges or not rows:
            return {}
        matches = self._find_in(rows, self._slots[:1])
        rest = [row for row in rows if row.key not in matches]
        matches |= self._find_in(rest, self._slots[1:])
        matches = self._follow(matches)
        for match in matches.values():
            exchange = match.exchange
            if exchange.state != EXCHANGE_STATE_RETRACTED:
                self._add_matched(exchange)
            elif not match.is_retracted_by_hand:
                self._require_finished(exchange)
        return matches

    def count_missing(self) -> int:
        """Number of the batch's exchanges that are not retracted and match no row so far."""
        return max(0, self._unretracted_count - len(self.matched_ids))

    def iterate_missing(self) -> Iterator[Exchange]:
        """The batch's exchanges that are not retracted and match no row so far."""
        exchanges = self._client.list_exchanges(
            AS_RECORDED,
            batch=self.name,
            standing_only=True,
            page_size=MAX_PAGE_SIZE,
            min_position=self.position,
        )
        for exchange in exchanges:
            is_own = exchange.revisions[0].recorded_by in self._senders
            if is_own and exchange.exchange_id not in self.matched_ids:
                yield exchange

    def _list_slots(self) -> Iterator[_Slot]:
        for generation in range(self.generation, FIRST_GENERATION - 1, -1):
            yield _Slot(generation, self.sender, is_raw=False)
            for sender in sorted(self._senders):
                yield _Slot(generation, sender, is_raw=False)
            yield _Slot(generation, "", is_raw=False)
            yield _Slot(generation, "", is_raw=True)

    def _id_in(self, slot: _Slot, key: str) -> str:
        return derive_id(
            self._rule, self._client.programme, self.name, slot.generation, key, slot.sender
        )

    def _find_in(
        self, rows: Sequence[RowIdentity], slots: Sequence[_Slot]
    ) -> dict[str, ExchangeMatch]:
        """For each row, the exchange in the first slot that has one."""
        places: dict[str, str] = {}
        for slot in slots:
            for row in rows:
                if key := row.raw_key if slot.is_raw else row.key:
                    places.setdefault(self._id_in(slot, key), row.key)
        exchanges: dict[str, Exchange] = {}
        for block in split_into_blocks(places):
            exchanges |= find_exchanges(self._client, block, position=self.position)
        matches: dict[str, ExchangeMatch] = {}
        for exchange_id, key in places.items():  # in the order of the slots
            exchange = exchanges.get(exchange_id)
            if exchange is not None and key not in matches and self._is_relevant(exchange):
                matches[key] = self._match(exchange, self.derive_id(key))
        return matches

    def _is_relevant(self, exchange: Exchange) -> bool:
        return not self.sender or exchange.revisions[0].recorded_by in {*self._senders, ""}

    def _match(self, exchange: Exchange, own_id: str) -> ExchangeMatch:
        is_retracted = exchange.state == EXCHANGE_STATE_RETRACTED
        is_free = own_id and own_id != exchange.exchange_id
        next_id = own_id if is_free else derive_reinstated_id(exchange.exchange_id)
        return ExchangeMatch(exchange, is_retracted and not is_undone(exchange), next_id)

    def _follow(self, matches: dict[str, ExchangeMatch]) -> dict[str, ExchangeMatch]:
        """The latest exchange of each row that was retracted and recorded again."""
        pending = {
            derive_reinstated_id(match.exchange.exchange_id): key
            for key, match in matches.items()
            if match.exchange.state == EXCHANGE_STATE_RETRACTED
        }
        while pending:
            exchanges: dict[str, Exchange] = {}
            for block in split_into_blocks(pending):
                exchanges |= find_exchanges(self._client, block, position=self.position)
            later = {pending[id_]: self._match(exchanges[id_], "") for id_ in exchanges}
            for key, match in later.items():
                own_id = self.derive_id(key)
                is_free = not match.is_retracted_by_hand and matches[key].next_id == own_id
                matches[key] = match._replace(next_id=own_id) if is_free else match
            pending = {
                match.next_id: key
                for key, match in later.items()
                if match.exchange.state == EXCHANGE_STATE_RETRACTED
            }
        return matches

    def _add_matched(self, exchange: Exchange) -> None:
        if exchange.revisions[0].recorded_by in self._senders:
            self.matched_ids.add(exchange.exchange_id)

    def _require_finished(self, exchange: Exchange) -> None:
        first = exchange.revisions[0]
        key = (first.source.generation, first.recorded_by)
        if not any(
            item.undone for item in self._relevant if (item.generation, item.recorded_by) == key
        ):
            raise ImportRefusedError(
                f"Batch {self.name} is being undone, and part of it is not retracted yet: finish "
                f"with mutua import undo {shlex.quote(self.name)}, then import the file again."
            )


# decision 0119: imported rows have derived identities
def derive_id(rule: str, programme: str, batch: str, generation: int, key: str, sender: str) -> str:
    """The id of a row's fact, equal for equal rows of a batch."""
    parts = (rule, programme, batch, str(generation), key)
    return uuid8(*parts, sender) if sender else uuid8(*parts)


def derive_reinstated_id(exchange_id: str) -> str:
    """The id for recording a row again after its exchange was retracted."""
    return uuid8("reinstated", exchange_id)


def is_undone(exchange: Exchange) -> bool:
    """Whether an undo retracted the exchange, because only an undo names its batch."""
    first, last = exchange.revisions[0].source, exchange.revisions[-1].source
    return (last.batch, last.generation) == (first.batch, first.generation)


def find_exchanges(
    client: Client, exchange_ids: Iterable[str], *, position: str
) -> dict[str, Exchange]:
    """The recorded exchanges among these ids (10,000 at most), by id."""
    ids = list(exchange_ids)
    exchanges = client.list_exchanges(
        AS_RECORDED, exchange_ids=ids, page_size=len(ids), min_position=position
    )
    return {exchange.exchange_id: exchange for exchange in exchanges}


def split_into_blocks(items: Iterable[Item], size: int = MAX_PAGE_SIZE) -> Iterator[list[Item]]:
    """Lists of at most `size` items, by default the maximum of one request."""
    remaining = iter(items)
    while block := list(islice(remaining, size)):
        yield block


def make_resolver(
    directory: OrganizationDirectory, ids_by_key: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    """Makes a function that maps an id, name or alias to its organization.

    It returns an unknown text unchanged. `ids_by_key` has the organizations of names that the
    roster does not have.
    """

    def resolve(text: str) -> str:
        bound_id = ids_by_key.get(name_key(text)) if ids_by_key else None
        try:
            return directory.find_registered(text) or bound_id or directory.find(text) or text
        except AmbiguousNameError:
            return bound_id or text

    return resolve


def suggest_batches(batch: str, batches: Iterable[Batch]) -> str:
    """A sentence such as " Did you mean calls-2026?", or "" when no name is similar."""
    names = sorted({item.batch for item in batches})
    folded = {name.casefold(): name for name in names}
    similar_names = difflib.get_close_matches(batch.casefold(), folded, n=3)
    return (
        f" Did you mean {' or '.join(folded[name] for name in similar_names)}?"
        if similar_names
        else ""
    )
