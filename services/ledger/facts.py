"""The envelope of facts. The facts themselves stand by family: `exchanges`, `organizations`.

Facts are frozen, named in the past tense, and say exactly what the log says. Sets are sorted tuples
without repetition and text is normalized (NFC, trimmed): whoever makes a fact sees to it
(`services.adapters.wire`).
"""

from dataclasses import dataclass
from typing import ClassVar

from services.ledger.enums import Assurance, Precision, Visibility
from services.ledger.times import Instant


class Fact:
    """What happened. `FIELD` is its name in the contract's `Event.fact`.

    `IS_TIMED` facts happened at some time, and are no facts without it.
    """

    __slots__ = ()
    FIELD: ClassVar[str]
    IS_TIMED: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Free text, open (`plain`) or sealed under its subject's key; at most one is set."""

    plain: str = ""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The program, import batch and row a fact came from."""

    client: str = ""
    batch: str = ""
    generation: int = 0
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact in its envelope. `recorded_by`, `assurance` and `record_time` are the server's."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecord:
    """One record of the log, read: where it stands, when it was appended, what it says.

    `event` is None when the record cannot be read; `digest` is over what the client said, so that
    two records of one event id can be told apart; `value` is the record as it stands on the log.
    """

    offset: int
    record_time: Instant
    programme_id: str
    digest: bytes
    event: Event | None
    value: bytes
