"""A programme in memory that behaves as the import expects of a server."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import grpc

from mutua import Client, FieldViolation, MutuaError, Recorded
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_CORRECTED,
    EXCHANGE_STATE_RECORDED,
    EXCHANGE_STATE_RETRACTED,
    Batch,
    Exchange,
    GetProgrammeResponse,
    GetStatusResponse,
    Organization,
    Programme,
    Question,
    Revision,
    Topic,
)


class FakeProgramme:
    """A programme that takes `batch_size` events per request and keeps them by event id.

    The request after `fails_after` requests raises `failure`. An event that names `refused_id` is
    INVALID_FACT. Waiting for an answer that includes the import raises `visibility_failure`.
    """

    programme = "gde"

    def __init__(self, *, batch_size: int = 1000, organization: str = "") -> None:
        self.organization = organization
        self.events: dict[str, Event] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.organizations: dict[str, Organization] = {}
        self.configuration = Programme()
        self.batch_size = batch_size
        self.requested_ids: list[str] = []
        self.fails_after: int | None = None
        self.failure: BaseException = KeyboardInterrupt()
        self.refused_id = ""
        self.visibility_failure: BaseException | None = None

    @property
    def client(self) -> Client:
        return cast(Client, self)

    def record_stream(self, events: Iterable[Event]) -> Iterator[Recorded]:
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
        if min_position and self.visibility_failure is not None:
            raise self.visibility_failure
        return GetStatusResponse(log_position=str(len(self.events)))

    def list_organizations(
        self, question: Question | None = None, *, min_position: str = ""
    ) -> list[Organization]:
        return list(self.organizations.values())

    def get_programme(self, *, min_position: str = "") -> GetProgrammeResponse:
        return GetProgrammeResponse(programme=self.configuration)

    def list_exchanges(
        self,
        question: Question,
        *,
        batch: str = "",
        exchange_ids: Sequence[str] = (),
        page_size: int = 0,
        min_position: str = "",
        standing_only: bool = False,
    ) -> list[Exchange]:
        exchange_ids = list(exchange_ids)
        assert len(exchange_ids) <= 10_000, "the server takes no more"
        self.requested_ids += exchange_ids
        chosen = [self.exchanges[id_] for id_ in exchange_ids if id_ in self.exchanges]
        return [
            exchange
            for exchange in chosen or (() if exchange_ids else self.exchanges.values())
            if batch in ("", exchange.revisions[0].source.batch)
            and not (standing_only and exchange.state == EXCHANGE_STATE_RETRACTED)
        ]

    def list_batches(self, *, min_position: str = "") -> list[Batch]:
        """The batches, as the projector computes them from standing exchanges."""
        batches: dict[tuple[str, int, str], Batch] = {}
        undone = set()
        for event in self.events.values():
            source = event.source
            if event.HasField("exchange_retracted"):
                continue
            key = (source.batch, source.generation, event.recorded_by)
            batch = batches.setdefault(
                key,
                Batch(
                    batch=source.batch,
                    generation=source.generation,
                    client=source.client,
                    recorded_by=event.recorded_by,
                ),
            )
            batch.organization_count += event.HasField("organization_registered")
        for exchange in self.exchanges.values():
            first, last = exchange.revisions[0], exchange.revisions[-1]
            key = (first.source.batch, first.source.generation, first.recorded_by)
            batches[key].exchange_count += 1
            if exchange.state == EXCHANGE_STATE_RETRACTED:
                batches[key].retracted_count += 1
                if (last.source.batch, last.source.generation) == key[:2]:
                    undone.add(key)
        for key in undone:
            batches[key].undone = batches[key].retracted_count == batches[key].exchange_count
        return [batches[key] for key in sorted(batches)]

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

    def _take(self, original: Event) -> None:
        event = Event()
        event.CopyFrom(original)
        event.recorded_by = self.organization
        if event.event_id in self.events:
            assert event == self.events[event.event_id], "an event id was reused"
            return
        self.events[event.event_id] = event
        match event.WhichOneof("fact"):
            case "exchange_recorded":
                self.exchanges[event.event_id] = Exchange(
                    exchange_id=event.event_id,
                    state=EXCHANGE_STATE_RECORDED,
                    revisions=[make_revision(event)],
                )
            case "exchange_corrected":
                exchange = self.exchanges[event.exchange_corrected.exchange_id]
                replaced = event.exchange_corrected.replaces_event_id
                assert replaced == exchange.revisions[-1].event_id, "the correction is stale"
                exchange.state = EXCHANGE_STATE_CORRECTED
                exchange.revisions.append(make_revision(event))
            case "exchange_retracted":
                exchange = self.exchanges[event.exchange_retracted.exchange_id]
                assert exchange.state != EXCHANGE_STATE_RETRACTED, "retracted twice"
                exchange.state = EXCHANGE_STATE_RETRACTED
                exchange.revisions.append(Revision(event_id=event.event_id, source=event.source))
            case "programme_configured":
                for each in event.programme_configured.topics:
                    self.configuration.topics.append(Topic(topic=each.topic, label=each.label))
            case fact:
                assert fact in ("organization_registered", "organization_updated")
                content = getattr(event, fact).organization
                fields = {field.name: value for field, value in content.ListFields()}
                assert (content.organization_id in self.organizations) == fact.endswith("updated")
                self.organizations[content.organization_id] = Organization(
                    **fields, registered=True
                )


def make_revision(event: Event) -> Revision:
    fact = event.exchange_recorded
    content = event.exchange_corrected.exchange
    if event.HasField("exchange_recorded"):
        content = fact.exchange
    revision = Revision(
        event_id=event.event_id,
        recorded_by=event.recorded_by,
        content=content,
        occur_time=event.occur_time,
        occur_precision=event.occur_precision,
        source=event.source,
        visibility=event.visibility,
    )
    if event.HasField("report_time"):
        revision.report_time.CopyFrom(event.report_time)
    return revision
