"""The client library calling the services directly, so that an import takes milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mutua import Client, Recorded
from mutua.recording import complete_event
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from services.ingest.request_validation import to_records
from services.ledger.position import Position
from services.ledger.question import Scope
from services.query.batches import list_batches
from services.query.exchanges import list_exchanges
from services.query.flows import get_network, list_balances, list_pairs
from services.query.organizations import list_organizations
from services.query.programme import get_programme
from services.query.quarantine import list_quarantine
from tests.machine.instance import Instance

Append = Callable[[str, list[bytes]], Position]
GROUP_SIZE = 2
"""Events in a request: few, so that an import can be interrupted between requests."""
RPC_FUNCTIONS: dict[type, Callable[..., Any]] = {
    pb.ListBalancesRequest: list_balances,
    pb.ListBatchesRequest: list_batches,
    pb.ListExchangesRequest: list_exchanges,
    pb.ListOrganizationsRequest: list_organizations,
    pb.ListPairsRequest: list_pairs,
    pb.ListQuarantineRequest: list_quarantine,
    pb.GetNetworkRequest: get_network,
    pb.GetProgrammeRequest: get_programme,
}


class DirectClient(Client):
    """A client of one programme of an instance. `append` receives the recorded values. The user
    interrupts a stream after `group_count` requests.
    """

    def __init__(self, instance: Instance, programme: str, append: Append) -> None:
        self.programme, self.organization = programme, ""
        self.group_count: int | None = None
        self._instance = instance
        self._append = append

    def record(self, events: Iterable[Event], *, recorded_by: str = "") -> str:
        request = RecordEventsRequest(
            events=[complete_event(each, self.programme) for each in events]
        )
        scope, now = Scope(organization_id=recorded_by), time.time_ns() // 1000
        return str(self._append(*to_records(request, scope=scope, now=now)))

    def record_stream(self, events: Iterable[Event]) -> Iterator[Recorded]:
        events = list(events)
        for start in range(0, len(events), GROUP_SIZE):
            if self.group_count == start // GROUP_SIZE:
                raise KeyboardInterrupt
            group = events[start : start + GROUP_SIZE]
            yield Recorded(count=len(group), position=self.record(group))

    def _ask(self, method: Callable[..., Any], request: Any) -> Any:
        """Projects everything before it answers a request with a position."""
        if request.min_position:
            self._instance.catch_up()
        if isinstance(request, pb.GetStatusRequest):
            log = self._instance.log
            end = Position(log.log_id, log.number, log.end())
            return pb.GetStatusResponse(log_position=str(end))
        respond = RPC_FUNCTIONS[type(request)]
        return self._instance.query_runner.run(respond, request)
