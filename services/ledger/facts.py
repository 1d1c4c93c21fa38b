"""The envelope of facts. `exchange`, `organization` and others have the facts of each family.

Facts are frozen, named in the past tense, and equal to what the log holds. Sets are sorted tuples
without repetition and text is normalized (NFC, trimmed), which `services.adapters.wire` ensures.
What every fact has are named tuples: making one takes a fifth of the time of a frozen dataclass.
"""

from typing import ClassVar, NamedTuple

from services.ledger.enums import Assurance, Precision, Visibility
from services.ledger.times import Instant


class Fact:
    """What happened. `FIELD` is its name in the contract's `Event.fact`.

    `IS_TIMED` facts need an occurrence time.
    """

    __slots__ = ()
    FIELD: ClassVar[str]
    IS_TIMED: ClassVar[bool] = False


class Text(NamedTuple):
    """Free text, open (`plain`) or sealed under its subject's key; at most one is set."""

    plain: str = ""
    sealed: bytes = b""


class Source(NamedTuple):
    """The program, import batch and row that a fact came from."""

    client: str = ""
    batch: str = ""
    generation: int = 0
    reference: str = ""


class Event(NamedTuple):
    """A fact in its envelope. The server sets `recorded_by`, `assurance`, `record_time`."""

    event_id: str
    programme_id: str
    fact: Fact
    occur_time: Instant | None = None
    occur_precision: Precision = Precision.EXACT
    report_time: Instant | None = None
    visibility: Visibility = Visibility.PROGRAMME
    source: Source = Source()
    recorded_by: str = ""
    assurance: Assurance = Assurance.UNSPECIFIED
    record_time: Instant | None = None


class LoggedRecord(NamedTuple):
    """One decoded record of the log: its offset, record time and event.

    `event` is None when the record is unreadable; `digest` covers what the client sent, to compare
    two records of one event id; `value` holds the bytes on the log.
    """

    offset: int
    record_time: Instant
    programme_id: str
    digest: bytes
    event: Event | None
    value: bytes
