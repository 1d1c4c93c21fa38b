"""The read models: tables that are built from the log and can be rebuilt.

`MODEL_VERSION` increases with every change of a table or of a rule; a new version is built next to
the old one, never migrated. Times are microseconds, days are days since 1970-01-01, amounts are
millionths of a minute. Within a programme, the number of an exchange is the offset of its first
record, and parties have dense numbers in order of first appearance.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Index, LargeBinary, MetaData, Table, text
from sqlmodel import Field, SQLModel

from services.ledger.monthly_sums import SUM_FIELDS as MONTH_FIELDS

MODEL_VERSION: Final = 9


# decision 0070: both databases share their SQL
class ReadModelRow(SQLModel):
    """A table of the read models, clustered by its primary key."""

    metadata = MetaData()
    __table_args__: Any = {"sqlite_with_rowid": False}

    @classmethod
    def table(cls) -> Table:
        return cls.metadata.tables[str(cls.__tablename__)]


def _key(type_: Any = BigInteger) -> Any:
    return Field(primary_key=True, sa_type=type_)


def _big(**options: Any) -> Any:
    return Field(sa_type=BigInteger, **options)


def _partial_index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class PositionRow(ReadModelRow, table=True):
    """How far a partition is projected, and the digest of the last record read."""

    __tablename__ = "position"
    partition: int = Field(primary_key=True)
    log_id: str
    next_offset: int = _big()
    record_time: int = _big()
    digest: bytes = Field(sa_type=LargeBinary)


class ProgrammeRow(ReadModelRow, table=True):
    """A programme by its dense number, with its partition and its last projected record."""

    __tablename__ = "programme"
    programme: int = Field(primary_key=True)
    programme_id: str = Field(unique=True)
    partition: int
    last_offset: int = _big()


class PartyRow(ReadModelRow, table=True):
    """An organization id as recorded, by its dense number."""

    __tablename__ = "party"
    programme: int = Field(primary_key=True)
    party: int = Field(primary_key=True)
    organization_id: str
    __table_args__ = (
        Index("party_by_id", "programme", "organization_id", unique=True),
        {"sqlite_with_rowid": False},
    )


class TopicRow(ReadModelRow, table=True):
    """A topic of a topic set. Sets are numbered from 1 by first appearance; 0 has no topics."""

    __tablename__ = "topic"
    programme: int = Field(primary_key=True)
    topic_set: int = Field(primary_key=True)
    topic: str = Field(primary_key=True)


class OrganizationVersionRow(ReadModelRow, table=True):
    """The content of a registered organization, valid from a record of the log on."""

    __tablename__ = "organization_version"
    programme: int = Field(primary_key=True)
    organization_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    from_offset: int = _big()
    event_id: str
    content: bytes = Field(sa_type=LargeBinary)


class AliasRow(ReadModelRow, table=True):
    """An id that is bound to an organization, from a record of the log on."""

    __tablename__ = "alias"
    programme: int = Field(primary_key=True)
    alias: str = Field(primary_key=True)
    organization_id: str
    from_offset: int = _big()


class NothingToReportRow(ReadModelRow, table=True):
    """A report that an organization, as recorded, had nothing to report for a month.

    `recorded_by` is the organization that reported it.
    """

    __tablename__ = "nothing_to_report"
    programme: int = Field(primary_key=True)
    organization_id: str = Field(primary_key=True)
    month: int = Field(primary_key=True)
    offset: int = _key()
    recorded_by: str


class PairingRow(ReadModelRow, table=True):
    """A fact about two organizations that the programme binds together, as recorded.

    One without `from_day` ends a pairing; see `ledger.pairing.find_pairings`.
    """

    __tablename__ = "pairing"
    programme: int = Field(primary_key=True)
    offset: int = _key()
    a: str
    b: str
    from_day: int | None = None
    to_day: int | None = None
    chosen_by: int
    event_id: str
    batch: str
    recorded_by: str


class ProgrammeConfigurationRow(ReadModelRow, table=True):
    """A fact that configured a programme. Later facts override earlier ones, field by field."""

    __tablename__ = "programme_configuration"
    programme: int = Field(primary_key=True)
    offset: int = _key()
    event_id: str
    content: bytes = Field(sa_type=LargeBinary)


class FactRow(ReadModelRow, table=True):
    """The first record of each event id."""

    __tablename__ = "fact"
    programme: int = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    offset: int = _big()
    digest: bytes = Field(sa_type=LargeBinary)


class ExchangeRow(ReadModelRow, table=True):
    """Every revision of every exchange; the current one has no `to_offset`.

    `exchange` is also the `from_offset` of revision 0, so exchanges since an offset are a range of
    the key; the index on changes has later revisions only. `batch` and `generation` are those of
    the import that recorded the exchange, even after a correction by another sender.
    """

    __tablename__ = "exchange"
    programme: int = Field(primary_key=True)
    exchange: int = _key()
    revision: int = Field(primary_key=True)
    exchange_id: str
    event_id: str
    from_offset: int = _big()
    to_offset: int | None = _big(default=None)
    record_time: int = _big()
    report_time: int | None = _big(default=None)
    state: int
    occur_time: int = _big()
    first_day: int
    end_day: int
    dated: bool
    kind: int
    formality: int
    reported_by: int
    topic_set: int
    recorder: int | None = None
    giver_minutes: int | None = None
    receiver_minutes: int | None = None
    benefit_minutes: int | None = None
    symmetric: bool
    visibility: int
    recorded_by: str
    batch: str
    generation: int
    content: bytes = Field(sa_type=LargeBinary)
    __table_args__ = (
        _partial_index("exchange_by_change", "programme", "from_offset", where="revision > 0"),
        _partial_index(
            "exchange_by_batch", "programme", "batch", "generation", where="batch <> ''"
        ),
        {"sqlite_with_rowid": False},
    )


class LegRow(ReadModelRow, table=True):
    """A giver, a receiver, and their share of a standing exchange under allocation split."""

    __tablename__ = "leg"
    programme: int = Field(primary_key=True)
    exchange: int = _key()
    giver: int = Field(primary_key=True)
    receiver: int = Field(primary_key=True)
    burden_millionths: int | None = _big(default=None)
    attention_millionths: int | None = _big(default=None)
    benefit_millionths: int | None = _big(default=None)


class JointPartyRow(ReadModelRow, table=True):
    """A party of a standing symmetric exchange."""

    __tablename__ = "joint_party"
    programme: int = Field(primary_key=True)
    exchange: int = _key()
    party: int = Field(primary_key=True)


class StatementRow(ReadModelRow, table=True):
    """What a party, as recorded, said of an exchange, by the number of the exchange.

    `revision` is the number of the revision that was current when it took effect, at `from_offset`.
    """

    __tablename__ = "statement"
    programme: int = Field(primary_key=True)
    exchange: int = _key()
    offset: int = _key()
    from_offset: int = _big()
    event_id: str
    record_time: int = _big()
    recorded_by: str
    party: str
    agrees: bool
    revision: int
    content: bytes = Field(sa_type=LargeBinary)


class RetractedPartyRow(ReadModelRow, table=True):
    """A party of a retracted exchange, which has no legs, and its side."""

    __tablename__ = "retracted_party"
    programme: int = Field(primary_key=True)
    exchange: int = _key()
    party: int = Field(primary_key=True)
    side: int


class OrganizationMonthRow(ReadModelRow, table=True):
    """Sums of what an organization, as recorded, gave and received in a month (split, all lenses).

    For SQL and business intelligence tools that read the store themselves.
    """

    __tablename__ = "organization_month"
    programme: int = Field(primary_key=True)
    party: int = Field(primary_key=True)
    month: int = Field(primary_key=True)
    given_exchange_count: int = _big()
    given_leg_count: int = _big()
    given_burden_millionths: int = _big()
    given_attention_millionths: int = _big()
    given_benefit_millionths: int = _big()
    given_burden_unknown_count: int = _big()
    given_attention_unknown_count: int = _big()
    given_benefit_unknown_count: int = _big()
    received_exchange_count: int = _big()
    received_leg_count: int = _big()
    received_burden_millionths: int = _big()
    received_attention_millionths: int = _big()
    received_benefit_millionths: int = _big()
    received_burden_unknown_count: int = _big()
    received_attention_unknown_count: int = _big()
    received_benefit_unknown_count: int = _big()
    joint_count: int = _big()


class BatchRow(ReadModelRow, table=True):
    """The outcome of one sender's import batch; an undo retracted `undone_count` exchanges."""

    __tablename__ = "batch"
    programme: int = Field(primary_key=True)
    batch: str = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    recorded_by: str = Field(primary_key=True)
    client: str
    first_record_time: int = _big()
    last_record_time: int = _big()
    exchange_count: int = _big()
    retracted_count: int = _big()
    undone_count: int = _big()
    correction_count: int = _big()
    organization_count: int = _big()
    pairing_count: int = _big()


class WaitingRow(ReadModelRow, table=True):
    """A waiting fact, and the event id or organization that it waits for."""

    __tablename__ = "waiting"
    programme: int = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    awaited: str
    offset: int = _big()
    record_time: int = _big()
    value: bytes = Field(sa_type=LargeBinary)
    __table_args__ = (
        Index("waiting_by_awaited", "programme", "awaited"),
        {"sqlite_with_rowid": False},
    )


class QuarantineRow(ReadModelRow, table=True):
    """A record that can never apply, and why."""

    __tablename__ = "quarantine"
    programme: int = Field(primary_key=True)
    offset: int = _key()
    reason: int
    detail: str
    event_id: str
    record_time: int = _big()
    value: bytes = Field(sa_type=LargeBinary)


class HoldRow(SQLModel, table=True):
    """A hold of a partition; after its deletion, projection tries again.

    The table is next to the read models but not one of them, because the log does not contain it.
    """

    __tablename__ = "held"
    metadata = ReadModelRow.metadata
    __table_args__: Any = {"sqlite_with_rowid": False}
    partition: int = Field(primary_key=True)
    offset: int = _big()
    reason: str
    crash_count: int
    """`Hold.failure_count`."""


assert tuple(OrganizationMonthRow.model_fields)[3:] == MONTH_FIELDS
