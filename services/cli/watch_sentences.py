"""What people read of a change: a sentence for each row that is new, has changed or is gone."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from mutua.v1.analysis_service_pb2 import Reciprocity, Verdict
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_RECORDED,
    Balance,
    Edge,
    Exchange,
    GetStatusResponse,
    Lens,
    Node,
    Pair,
)
from services.cli import exchange_summary
from services.cli.messages import describe_absence, format_amount
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import to_iso
from services.cli.parameters import words_by_number
from services.cli.tables import is_minutes
from services.ledger.wording import format_count
from services.notation.exchange_cells import current_revision

_VERDICTS: Final = words_by_number(Verdict.items())


@dataclass(frozen=True, slots=True)
class SentenceContext:
    """What sentences need besides rows: the names of organizations, and what is counted."""

    directory: CommandLineDirectory
    lens: Lens.ValueType

    def label(self, organization_id: str) -> str:
        return self.directory.label(organization_id)

    def amount(self, value: float, before: float | None) -> str:
        """An amount with its unit and, if it changed, by how much."""
        unit = " minutes" if is_minutes(self.lens) else ""
        change = 0 if before is None else round(value - before)
        return f"{format_amount(value)}{unit}" + (f" ({change:+,})" if change else "")


Describe = Callable[[Any, Any, SentenceContext], str]
"""Takes a row, the row that it replaces (None for a new one), and the context."""


def describe_balance(row: Balance, before: Balance | None, context: SentenceContext) -> str:
    name = context.label(row.organization_id)
    if not row.exchange_count:
        return f"{name}: {describe_absence(row.reasons)}."
    sides = [
        f"{verb} {context.amount(value, None if before is None else getattr(before, field))}"
        for verb, field, value in (
            ("gave", "given", row.given),
            ("received", "received", row.received),
        )
        if row.HasField(cast("Any", field))
    ]
    return f"{name} {' and '.join(sides)} in {format_count(row.exchange_count, 'exchange')}."


def describe_pair(row: Pair, before: Pair | None, context: SentenceContext) -> str:
    giver, receiver = context.label(row.giver_id), context.label(row.receiver_id)
    given_before = received_before = None
    if before is not None:
        given_before, received_before = before.given, before.received
        if before.giver_id != row.giver_id:
            given_before, received_before = received_before, given_before
    return (
        f"{giver} gave {receiver} {context.amount(row.given, given_before)} and received "
        f"{context.amount(row.received, received_before)}."
    )


def describe_node(row: Node, before: Node | None, context: SentenceContext) -> str:
    name = context.label(row.organization_id)
    if not row.exchange_count:
        return f"{name}: {describe_absence(row.reasons)}."
    exchanges = format_count(row.exchange_count, "exchange")
    return f"{name} {'is new, with' if before is None else 'has'} {exchanges}."


def describe_edge(row: Edge, before: Edge | None, context: SentenceContext) -> str:
    tie = f"{context.label(row.giver_id)} gave to {context.label(row.receiver_id)}"
    if before is None:
        return f"{tie} for the first time."
    return f"{tie}: {context.amount(row.weight, before.weight)}."


def describe_exchange(row: Exchange, _: Exchange | None, context: SentenceContext) -> str:
    sentence = exchange_summary.describe_exchange(
        exchange_summary.summarize_revision(current_revision(row)),
        context.directory,
    )
    if row.state == EXCHANGE_STATE_RECORDED:
        return sentence
    return f"{exchange_summary.STATES[row.state].capitalize()}: {sentence}"


def describe_reciprocity(row: Reciprocity, before: Reciprocity | None, _: SentenceContext) -> str:
    period = f"From {to_iso(row.from_date)}: " if row.HasField("from_date") else ""
    parts = [
        f"{name} {_ratio(row, field)}{_change(row, before, field)}"
        for name, field in (
            ("reciprocity", "reciprocity"),
            ("weighted reciprocity", "weighted_reciprocity"),
        )
    ]
    verdict = _VERDICTS.get(row.verdict, "")
    ending = f"; {verdict.replace('-', ' ')}" if verdict else ""
    exchanges = format_count(row.exchange_count, "exchange")
    return f"{period}{', '.join(parts)} in {exchanges}{ending}."


def describe_status(
    row: GetStatusResponse, before: GetStatusResponse | None, _: SentenceContext
) -> str:
    new_count = 0 if before is None else row.fact_count - before.fact_count
    facts = format_count(row.fact_count, "fact") + (f" ({new_count:+,})" if new_count else "")
    parts = [
        format_count(row.exchange_count, "exchange"),
        format_count(row.organization_count, "organization"),
        *([f"{row.waiting_count:,} waiting"] if row.waiting_count else ()),
        *([f"{row.quarantine_count:,} quarantined"] if row.quarantine_count else ()),
        *([f"{row.lag_count:,} not projected yet"] if row.lag_count else ()),
        *(f"partition {held.partition} is held: {held.reason}" for held in row.held),
    ]
    return f"{facts}; {', '.join(parts)}."


def describe_removed(row: Any, context: SentenceContext) -> str:
    """That a row is gone, such as one whose exchanges were retracted."""
    match row:
        case Balance() | Node():
            return f"{context.label(row.organization_id)} is no longer among them."
        case Pair():
            ends = context.label(row.giver_id), context.label(row.receiver_id)
            return f"{ends[0]} and {ends[1]} have no exchange any more."
        case Edge():
            return (
                f"{context.label(row.giver_id)} gave {context.label(row.receiver_id)}: none left."
            )
        case Exchange():
            return f"Exchange {row.exchange_id} was corrected and is no longer among them."
        case Reciprocity():
            return f"From {to_iso(row.from_date)}: no longer in the series."
    raise AssertionError(f"no sentence for {type(row).__name__}")


DESCRIBE: Final[dict[type, Describe]] = {
    Balance: describe_balance,
    Pair: describe_pair,
    Node: describe_node,
    Edge: describe_edge,
    Exchange: describe_exchange,
    Reciprocity: describe_reciprocity,
    GetStatusResponse: describe_status,
}
"""The sentence of a row, by its type."""
_NOUNS: Final[dict[type, str]] = {
    Balance: "organization",
    Pair: "pair",
    Node: "organization",
    Edge: "tie",
    Exchange: "exchange",
    Reciprocity: "period",
    GetStatusResponse: "status",
}


def describe_first(rows: Sequence[Any]) -> str:
    """How many rows a watch begins with."""
    counts = Counter(_NOUNS[type(row)] for row in rows)
    words = [format_count(count, noun) for noun, count in counts.items()] or ["nothing yet"]
    return f"{' and '.join(words)}; changes follow."


def _ratio(row: Reciprocity, field: str) -> str:
    return f"{getattr(row, field):.2f}" if row.HasField(cast("Any", field)) else "unknown"


def _change(row: Reciprocity, before: Reciprocity | None, field: str) -> str:
    if before is None or _ratio(row, field) == _ratio(before, field):
        return ""
    return f" (was {_ratio(before, field)})"
