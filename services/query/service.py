"""QueryService: each rpc is one line here and one function of its own file."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.query_service_pb2_grpc import QueryServiceServicer
from services.adapters.grpc.server import Context
from services.adapters.telemetry.metrics import NO_OP_METER, Meter
from services.ledger.ports import QueryStore, ReadableLog
from services.ledger.times import Instant
from services.query.balances import get_balance, list_balances
from services.query.batches import list_batches
from services.query.concentration import get_concentration
from services.query.exchanges import get_exchange, list_exchanges
from services.query.executor import QueryExecutor
from services.query.network import get_network
from services.query.organizations import list_organizations
from services.query.pairs import list_pairs
from services.query.position_tracker import PositionTracker
from services.query.programme import get_programme
from services.query.quarantine import list_quarantine
from services.query.status import get_status

SERVICE_NAME: Final = "mutua.v1.QueryService"


class QueryService(QueryServiceServicer):
    """Every method returns its response serialized; see `Answering`."""

    def __init__(
        self,
        store: QueryStore,
        progress: PositionTracker,
        *,
        log: ReadableLog,
        model_version: int,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        meter: Meter = NO_OP_METER,
    ) -> None:
        self._executor = QueryExecutor(store, progress, log=log, clock=clock, meter=meter)
        self.read_status = self._executor.read_status
        self._get_status = partial(
            get_status,
            log=log,
            model_version=model_version,
            progress=progress,
        )

    def switch_store(self, store: QueryStore) -> None:
        """Goes over to other read models, which are as far; questions under way end in the old."""
        self._executor.switch_store(store)

    async def GetBalance(
        self, request: pb.GetBalanceRequest, context: Context
    ) -> pb.GetBalanceResponse:
        return await self._executor.execute(request, context, get_balance)

    async def ListBalances(
        self, request: pb.ListBalancesRequest, context: Context
    ) -> pb.ListBalancesResponse:
        return await self._executor.execute(request, context, list_balances)

    async def ListPairs(
        self, request: pb.ListPairsRequest, context: Context
    ) -> pb.ListPairsResponse:
        return await self._executor.execute(request, context, list_pairs)

    async def ListExchanges(
        self, request: pb.ListExchangesRequest, context: Context
    ) -> pb.ListExchangesResponse:
        return await self._executor.execute(request, context, list_exchanges)

    async def GetExchange(
        self, request: pb.GetExchangeRequest, context: Context
    ) -> pb.GetExchangeResponse:
        return await self._executor.execute(request, context, get_exchange)

    async def GetNetwork(
        self, request: pb.GetNetworkRequest, context: Context
    ) -> pb.GetNetworkResponse:
        return await self._executor.execute(request, context, get_network)

    async def GetConcentration(
        self, request: pb.GetConcentrationRequest, context: Context
    ) -> pb.GetConcentrationResponse:
        return await self._executor.execute(request, context, get_concentration)

    async def ListOrganizations(
        self, request: pb.ListOrganizationsRequest, context: Context
    ) -> pb.ListOrganizationsResponse:
        return await self._executor.execute(request, context, list_organizations)

    async def ListBatches(
        self, request: pb.ListBatchesRequest, context: Context
    ) -> pb.ListBatchesResponse:
        return await self._executor.execute(request, context, list_batches)

    async def GetProgramme(
        self, request: pb.GetProgrammeRequest, context: Context
    ) -> pb.GetProgrammeResponse:
        return await self._executor.execute(request, context, get_programme)

    async def ListQuarantine(
        self, request: pb.ListQuarantineRequest, context: Context
    ) -> pb.ListQuarantineResponse:
        return await self._executor.execute(request, context, list_quarantine)

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        # The end of the log moves with other programmes too.
        return await self._executor.execute(request, context, self._get_status, is_cacheable=False)
