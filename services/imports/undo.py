"""Undoes an import: retracts the exchanges of a batch and ends its pairings on their first day."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from mutua import Client
from mutua.ids import uuid8
from mutua.limits import MAX_PAGE_SIZE
from mutua.v1.event_pb2 import Event, PairingEnded
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Batch, Exchange, Pairing
from mutua.v1.types_pb2 import Source
from services.adapters.wire.values import tidy
from services.imports.batches import AS_RECORDED, is_undone, suggest_batches
from services.imports.changes import MAX_LISTED_ROWS, HandRetraction, make_hand_retraction
from services.imports.fact_sender import FactRefusedError, SendProgress, send_facts
from services.imports.report import ImportRefusedError
from services.imports.row_checker import IMPORT_CLIENT
from services.imports.row_identity import parse_reference

_AGAIN: Final = "Undo the batch again: what is retracted stays so, and the rest follows."


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoReport:
    """The result of an undo, or what it would do.

    `recorded_by` is the organization the batch was imported for, "" for none. `retracted_count`
    exchanges are retracted; somebody else corrected `corrected_by_hand_count` of them since, and
    the file does not have these corrections. `organization_count` facts about organizations stay.
    `ended_pairing_count` pairings are undone.
    `retracted_earlier_count` exchanges were retracted before; `left_retracted` are the first of
    them that somebody retracted by hand, for good.
    """

    batch: str
    recorded_by: str = ""
    generation: int
    retracted_count: int
    retracted_earlier_count: int
    corrected_by_hand_count: int
    organization_count: int
    ended_pairing_count: int = 0
    position: str = ""
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    left_retracted: tuple[HandRetraction, ...] = ()


ConfirmUndo = Callable[[UndoReport], bool]
"""Returns whether to retract the exchanges of the report."""


# decision 0029: an undo ends a generation
def undo_import(
    client: Client,
    batch: str,
    *,
    sender: str | None = None,
    confirm: ConfirmUndo = lambda _: True,
    progress: SendProgress | None = None,
) -> UndoReport:
    """Retracts every exchange of a batch that is not retracted yet, and undoes its pairings.

    `sender` is the organization it was imported for, "" for none; it may be left out unless two
    senders gave the name to a batch. A retraction that an interrupted run recorded counts once.
    Before anything is recorded, raises ImportRefusedError when there is no such batch or `confirm`
    returns false, and mutua.MutuaError when the server does not answer. ImportInterruptedError
    comes later.
    """
    batch_name = tidy(batch)
    position = client.get_status().log_position
    batches = list(client.list_batches(min_position=position))
    own_batches = [each for each in batches if each.batch == batch_name]
    if not own_batches:
        names = "mutua import list shows all." if batches else "Nothing was imported yet."
        raise ImportRefusedError(
            f"There is no batch {batch_name!r}.{suggest_batches(batch_name, batches)} {names}"
        )
    own_batches = _of_sender(own_batches, sender)
    exchanges = client.list_exchanges(
        AS_RECORDED,
        batch=batch_name,
        standing_only=not any(each.retracted_count for each in own_batches),
        page_size=MAX_PAGE_SIZE,
        min_position=position,
    )
    # All exchanges are listed before the first retraction, because each one changes the list.
    unretracted: list[tuple[str, int]] = []
    retracted_by_hand: list[HandRetraction] = []
    corrected_count = 0
    for exchange in exchanges:
        first = exchange.revisions[0]
        if first.recorded_by != own_batches[0].recorded_by:
            continue
        if exchange.state != EXCHANGE_STATE_RETRACTED:
            corrected_count += _is_corrected_by_hand(exchange)
            unretracted.append((exchange.exchange_id, first.source.generation))
        elif len(retracted_by_hand) < MAX_LISTED_ROWS and not is_undone(exchange):
            name_in_file = parse_reference(first.source.reference)
            retracted_by_hand.append(make_hand_retraction(exchange, row=0, reference=name_in_file))
    report = _report(own_batches, len(unretracted), corrected_count)
    pairings = _find_pairings(client, own_batches, position)
    report = replace(
        report,
        left_retracted=tuple(retracted_by_hand),
        ended_pairing_count=len(pairings),
    )
    total = len(unretracted) + len(pairings)
    if not total:
        return report
    if not confirm(report):
        raise ImportRefusedError("Nothing was retracted.")
    facts = chain(_retractions(batch_name, unretracted), _endings(batch_name, pairings))
    try:
        result = send_facts(client, facts, total=total, remedy=_AGAIN, progress=progress)
    except FactRefusedError as error:
        raise ImportRefusedError(f"The server refuses a retraction: {error}") from error
    return replace(
        report,
        position=result.position,
        notes=(result.note,) if result.note else (),
        interrupted=result.interrupted,
    )


def _of_sender(own_batches: Sequence[Batch], sender: str | None) -> list[Batch]:
    """The generations of one sender.

    Raises ImportRefusedError when it is not clear whose is meant.
    """
    senders = sorted({each.recorded_by for each in own_batches if each.exchange_count})
    if sender is None or sender not in senders:
        if len(senders) > 1:
            name = own_batches[0].batch
            owners = " and ".join(f"for {each}" if each else "without --as" for each in senders)
            remedies = " or ".join(
                f"mutua --as {shlex.quote(each)} import undo {shlex.quote(name)}"
                for each in senders
            )
            raise ImportRefusedError(f"Batch {name} was imported {owners}: say which, {remedies}.")
        sender = senders[0] if senders else own_batches[0].recorded_by
    return [each for each in own_batches if each.recorded_by == sender]


def _report(
    own_batches: Sequence[Batch], unretracted_count: int, corrected_count: int
) -> UndoReport:
    return UndoReport(
        batch=own_batches[0].batch,
        recorded_by=own_batches[0].recorded_by,
        generation=max(each.generation for each in own_batches),
        retracted_count=unretracted_count,
        retracted_earlier_count=sum(each.retracted_count for each in own_batches),
        corrected_by_hand_count=corrected_count,
        organization_count=sum(each.organization_count for each in own_batches),
    )


def _is_corrected_by_hand(exchange: Exchange) -> bool:
    batch = exchange.revisions[0].source.batch
    return any(revision.source.batch != batch for revision in exchange.revisions[1:])


def _find_pairings(client: Client, own_batches: Sequence[Batch], position: str) -> list[Pairing]:
    """The pairings that a batch formed and that nobody replaced or undid since."""
    if not any(each.pairing_count for each in own_batches):
        return []
    batch = own_batches[0]
    return [
        each
        for each in client.get_pairings(min_position=position).pairings
        if (each.batch, each.recorded_by) == (batch.batch, batch.recorded_by)
    ]


def _endings(batch: str, pairings: Iterable[Pairing]) -> Iterator[Event]:
    for each in pairings:
        event = Event(event_id=uuid8("undo", each.event_id))
        event.pairing_ended.CopyFrom(PairingEnded(a=each.a, b=each.b, to_date=each.from_date))
        event.source.CopyFrom(Source(client=IMPORT_CLIENT, batch=batch, generation=1))
        yield event


def _retractions(batch: str, unretracted: Sequence[tuple[str, int]]) -> Iterator[Event]:
    for exchange_id, generation in unretracted:
        # The same id for the same exchange, so that a repeated undo counts once.
        event = Event(event_id=uuid8("undo", exchange_id))
        event.exchange_retracted.exchange_id = exchange_id
        event.exchange_retracted.reason.plain = f"The import {batch} was undone."
        # The name of the batch distinguishes an undo from a retraction by hand.
        event.source.CopyFrom(Source(client=IMPORT_CLIENT, batch=batch, generation=generation))
        yield event
