"""The register of questions: one line for each rpc of QueryService and AnalysisService."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from mutua.v1 import analysis_service_pb2, query_service_pb2
from services.ledger.ports import ReadableLog
from services.query.analyses import (
    get_latency,
    get_lift,
    get_reciprocity,
    get_structure,
    get_what_if,
    list_asymmetry,
    list_topic_asymmetry,
)
from services.query.batches import list_batches
from services.query.exchanges import get_exchange, list_exchanges
from services.query.flows import (
    get_balance,
    get_concentration,
    get_network,
    list_balances,
    list_pairs,
)
from services.query.graph import get_graph
from services.query.organizations import list_organizations
from services.query.pairings import get_pairings
from services.query.position_tracker import PositionTracker
from services.query.programme import get_programme
from services.query.quarantine import list_quarantine
from services.query.query_context import QueryContext
from services.query.status import get_status

QUESTION_SERVICES: Final = (
    query_service_pb2.DESCRIPTOR.services_by_name["QueryService"],
    analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
)
QUESTION_RPCS: Final[Mapping[str, MethodDescriptor]] = {
    rpc.name: rpc for service in QUESTION_SERVICES for rpc in service.methods
}
"""The rpc of every question by its name."""


class RegisteredQuestion(NamedTuple):
    """The function that answers an rpc."""

    respond: Callable[[QueryContext], Message]
    is_cacheable: bool = True
    """Whether equal requests may share its response."""
    takes_subset: bool = False
    """Whether it answers for organizations that have the attributes of `where`."""
    takes_half_life: bool = False
    """Whether its amounts decay by a half-life."""


def register_questions(
    *, log: ReadableLog, positions: PositionTracker, model_version: int
) -> Mapping[str, RegisteredQuestion]:
    """All questions by the name of their rpc."""
    respond_status = partial(get_status, log=log, positions=positions, model_version=model_version)
    return {
        "GetBalance": RegisteredQuestion(get_balance, takes_half_life=True),
        "ListBalances": RegisteredQuestion(list_balances, takes_half_life=True),
        "ListPairs": RegisteredQuestion(list_pairs),
        "ListExchanges": RegisteredQuestion(list_exchanges),
        "GetExchange": RegisteredQuestion(get_exchange),
        "GetNetwork": RegisteredQuestion(get_network),
        "GetConcentration": RegisteredQuestion(get_concentration),
        "GetReciprocity": RegisteredQuestion(get_reciprocity, takes_subset=True),
        "GetStructure": RegisteredQuestion(get_structure, takes_subset=True),
        "GetWhatIf": RegisteredQuestion(get_what_if, takes_subset=True),
        "GetLift": RegisteredQuestion(get_lift, takes_subset=True),
        "GetLatency": RegisteredQuestion(get_latency, takes_subset=True),
        "GetGraph": RegisteredQuestion(get_graph, takes_subset=True, takes_half_life=True),
        "ListAsymmetry": RegisteredQuestion(list_asymmetry, takes_subset=True),
        "ListTopicAsymmetry": RegisteredQuestion(list_topic_asymmetry, takes_subset=True),
        "ListOrganizations": RegisteredQuestion(list_organizations),
        "GetPairings": RegisteredQuestion(get_pairings),
        "ListBatches": RegisteredQuestion(list_batches),
        "GetProgramme": RegisteredQuestion(get_programme),
        "ListQuarantine": RegisteredQuestion(list_quarantine),
        # Other programmes move the end of the log, so a cached status would be out of date.
        "GetStatus": RegisteredQuestion(respond_status, is_cacheable=False),
    }
