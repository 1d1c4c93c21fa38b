"""Facts about pairings on the wire, and the answer about them."""

from datetime import date

from mutua.v1 import event_pb2 as pb
from mutua.v1 import query_service_pb2
from mutua.v1.types_pb2 import Date
from services.adapters.wire.values import from_day, tidy, to_date, to_enum
from services.ledger.pairing import Pairing, PairingChoice, PairingEnded, PairingFormed


def tidy_pairing(fact: pb.PairingFormed | pb.PairingEnded) -> None:
    fact.a, fact.b = tidy(fact.a), tidy(fact.b)


def sort_pairing(fact: pb.PairingFormed | pb.PairingEnded) -> None:
    """The two organizations are a set."""
    fact.a, fact.b = sorted((fact.a, fact.b))


def to_pairing_formed(fact: pb.PairingFormed) -> PairingFormed:
    return PairingFormed(
        a=fact.a,
        b=fact.b,
        from_date=_to_date(fact, "from_date"),
        to_date=_to_date(fact, "to_date"),
        chosen_by=to_enum(
            PairingChoice, fact.chosen_by, "pairing_formed.chosen_by", PairingChoice.UNSPECIFIED
        ),
    )


def to_pairing_ended(fact: pb.PairingEnded) -> PairingEnded:
    return PairingEnded(a=fact.a, b=fact.b, to_date=_to_date(fact, "to_date"))


def _to_date(fact: pb.PairingFormed | pb.PairingEnded, field: str) -> date | None:
    value: Date = getattr(fact, field)
    path = "pairing_formed" if isinstance(fact, pb.PairingFormed) else "pairing_ended"
    return to_date(value, f"{path}.{field}") if fact.HasField(field) else None  # type: ignore[arg-type]


def from_pairing(pairing: Pairing) -> query_service_pb2.Pairing:
    return query_service_pb2.Pairing(
        a=pairing.a,
        b=pairing.b,
        from_date=from_day(pairing.from_day),
        to_date=None if pairing.to_day is None else from_day(pairing.to_day),
        chosen_by=pb.PairingChoice.ValueType(pairing.chosen_by),
        event_id=pairing.event_id,
        batch=pairing.batch,
        recorded_by=pairing.recorded_by,
    )
