"""A programme in memory that behaves as the import expects of a server."""

from collections.abc import Iterable, Iterator
from typing import cast

import grpc

from mutua import Client, FieldViolation, MutuaError, Recorded
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_CORRECTED,
    EXCHANGE_STATE_RECORDED,
    EXCHANGE_STATE_RETRACTED,
    Exchange,
    GetStatusResponse,
    Organization,
    Question,
    Revision,
)


class FakeProgramme:
    """Events it took, by event id, and what they add up to. `batch_size` events a request.

    `fails_after` requests raise `failure`; an event that names `refused_id` is INVALID_FACT;
    `unseen` is raised by who waits for an answer to show what was recorded.
    """

    programme = "gde"

    def __init__(self, *, batch_size: int = 1000) -> None:
        self.events: dict[str, Event] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.organizations: dict[str, Organization] = {}
        self.batch_size = batch_size
        self.fails_after: int | None = None
        self.failure: BaseException = KeyboardInterrupt()
        self.refused_id = ""
        self.unseen: BaseException | None = None

    @property
    def client(self) -> Client:
        return cast(Client, self)

    def record_in_batches(self, events: Iterable[Event]) -> Iterator[Recorded]:
        events = list(events)
        for request, start in enumerate(range(0, len(events), self.batch_size)):
            if request == self.fails_after:
                raise self.failure
            batch = events[start : start + self.batch_size]
            self._check(batch)
            for event in batch:
                self._take(event)
            yield Recorded(count=len(batch), position=str(len(self.events)))

    def get_status(self, *, min_position: str = "") -> GetStatusResponse:
        if min_position and self.unseen is not None:
            raise self.unseen
        return GetStatusResponse(log_position=str(len(self.events)))

    def list_organizations(
        self, question: Question | None = None, *, min_position: str = ""
    ) -> list[Organization]:
        return list(self.organizations.values())

    def list_exchanges(
        self, question: Question, *, batch: str, min_position: str
    ) -> list[Exchange]:
        return [e for e in self.exchanges.values() if e.revisions[0].source.batch == batch]

    def retract(self, exchange_id: str) -> None:
        exchange = self.exchanges[exchange_id]
        exchange.state = EXCHANGE_STATE_RETRACTED
        exchange.revisions.append(Revision(event_id="retraction"))

    def _check(self, batch: list[Event]) -> None:
        for index, event in enumerate(batch):
            if self.refused_id in event.exchange_recorded.exchange.giver_ids:
                path = f"events[{index}].exchange_recorded.exchange.giver_ids[0]"
                raise MutuaError(
                    "1 field is wrong",
                    code=grpc.StatusCode.INVALID_ARGUMENT,
                    reason="INVALID_FACT",
                    field_violations=[FieldViolation(path, "is not wanted here")],
                )

    def _take(self, event: Event) -> None:
        if event.event_id in self.events:
            assert event == self.events[event.event_id], "an event id was reused"
            return
        self.events[event.event_id] = event
        match event.WhichOneof("fact"):
            case "exchange_recorded":
                self.exchanges[event.event_id] = Exchange(
                    exchange_id=event.event_id,
                    state=EXCHANGE_STATE_RECORDED,
                    revisions=[revision_of(event)],
                )
            case "exchange_corrected":
                exchange = self.exchanges[event.exchange_corrected.exchange_id]
                replaced = event.exchange_corrected.replaces_event_id
                assert replaced == exchange.revisions[-1].event_id, "the correction is stale"
                exchange.state = EXCHANGE_STATE_CORRECTED
                exchange.revisions.append(revision_of(event))
            case fact:
                assert fact in ("organization_registered", "organization_updated")
                content = getattr(event, fact).organization
                known = {field.name: value for field, value in content.ListFields()}
                assert (content.organization_id in self.organizations) == fact.endswith("updated")
                self.organizations[content.organization_id] = Organization(**known, registered=True)


def revision_of(event: Event) -> Revision:
    fact = event.exchange_recorded
    content = event.exchange_corrected.exchange
    if event.HasField("exchange_recorded"):
        content = fact.exchange
    revision = Revision(
        event_id=event.event_id,
        content=content,
        occur_time=event.occur_time,
        occur_precision=event.occur_precision,
        source=event.source,
        visibility=event.visibility,
    )
    if event.HasField("report_time"):
        revision.report_time.CopyFrom(event.report_time)
    return revision
