"""Asks everything that a report shows, at one position of the log."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, Final

from mutua import Client
from mutua.frames import to_day
from mutua.measures import ReciprocityMeasures, StructureMeasures
from mutua.v1.analysis_service_pb2 import PairAsymmetry
from mutua.v1.query_service_pb2 import (
    Balance,
    Concentration,
    Coverage,
    Edge,
    Node,
    Organization,
    Pair,
    Question,
)
from services.ledger.errors import MutuaError

MAX_PAIRS: Final = 20
"""Pairs with what the network pays back, which takes milliseconds a row."""
_ROUNDS: Final = 5
_MAX_PERIODS: Final = 40
_MIN_EXCHANGES: Final = 40
"""How many periods a series may have, and how many exchanges each should have on average."""
_PERIOD_DAYS: Final = {"month": 30.4, "quarter": 91.3}
_YEAR: Final = 365
Progress = Callable[[str, int, int], None]
"""Receives what is asked for, and how many of how many answers there are."""


class ReportUnsettledError(MutuaError):
    """Facts arrived faster than all questions could be asked at one position."""

    code = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAnswers:
    """All answers of a report; every one was computed at `position`.

    `series` has a row for each `period` ("month", "quarter" or "year"). `asymmetries` are the first
    pairs with evidence, the most one-sided first; `pairs` are all.
    """

    question: Question
    position: str
    as_of_date: date
    coverage: Coverage
    warnings: tuple[str, ...]
    period: str
    seed: int
    organizations: tuple[Organization, ...]
    balances: tuple[Balance, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    pairs: tuple[Pair, ...]
    asymmetries: tuple[PairAsymmetry, ...]
    concentrations: tuple[Concentration, ...]
    reciprocity: ReciprocityMeasures
    series: tuple[ReciprocityMeasures, ...]
    unplaced_count: int
    structure: StructureMeasures


def ask_report(
    client: Client,
    question: Question,
    *,
    period: str = "",
    seed: int = 0,
    progress: Progress = lambda *_: None,
) -> ReportAnswers:
    """Asks until all answers have one position; `period` "" depends on how long the history is.

    Answers are cached by the server, so that a second round takes little time. Raises
    ReportUnsettledError when facts arrive during every round.
    """
    position = ""
    for _ in range(_ROUNDS):
        interview = _Interview(client, question, position, progress)
        answers = interview.ask_all(period, seed)
        if interview.is_at_one_position:
            return answers
        position = answers.position
    raise ReportUnsettledError(
        f"facts were recorded during each of {_ROUNDS} attempts to ask for a report",
        remedy="ask again, or end the window in the past and ask while fewer facts arrive",
    )


class _Interview:
    """One round of questions, with the positions and warnings of their answers."""

    QUESTION_COUNT: Final = 9

    def __init__(self, client: Client, question: Question, position: str, progress: Progress):
        self._client = client
        self._question = question
        # A list that has no subsets is narrowed afterwards.
        self._whole = Question()
        self._whole.CopyFrom(question)
        self._whole.ClearField("where")
        self._position = position
        self._progress = progress
        self._answers: list[Any] = []

    @property
    def is_at_one_position(self) -> bool:
        positions = {answer.position for answer in self._answers}
        moved = any("MODEL_MOVED" in answer.warnings for answer in self._answers)
        return len(positions) == 1 and not moved

    def ask_all(self, period: str, seed: int) -> ReportAnswers:
        client, question = self._client, self._question
        reciprocity: Any = self._ask(
            "reciprocity", client.analysis.reciprocity, question, seed=seed
        )
        organizations = self._list("organizations", client.list_organizations)
        period = period or choose_period(organizations, reciprocity[0].exchange_count)
        series: Any = self._ask(
            "the series", client.analysis.reciprocity, question, by=period, seed=seed
        )
        structure: Any = self._ask("structure", client.analysis.structure, question)
        network: Any = self._ask("the network", client.get_network, self._whole)
        balances = self._list("balances", client.list_balances)
        pairs = self._list("pairs", client.list_pairs)
        concentration: Any = self._ask("concentration", client.get_concentration, self._whole)
        asymmetry: Any = self._ask(
            "one-sided pairs", client.list_asymmetry, question, page_size=MAX_PAIRS
        )
        asymmetries = tuple(islice(asymmetry, MAX_PAIRS))
        return ReportAnswers(
            question=reciprocity.question,
            position=reciprocity.position,
            as_of_date=reciprocity.as_of_date,
            coverage=reciprocity.coverage,
            warnings=self._list_warnings(),
            period=period,
            seed=seed,
            organizations=organizations,
            balances=balances,
            nodes=tuple(network.nodes),
            edges=tuple(network.edges),
            pairs=pairs,
            asymmetries=asymmetries,
            concentrations=tuple(concentration.concentrations),
            reciprocity=reciprocity[0],
            series=series.rows,
            unplaced_count=series.unplaced_count,
            structure=structure[0],
        )

    def _ask(self, name: str, method: Callable[..., Any], *arguments: Any, **fields: Any) -> Any:
        self._progress(name, len(self._answers), self.QUESTION_COUNT)
        answer = method(*arguments, min_position=self._position, **fields)
        self._position = answer.position  # no later answer is of an earlier position
        self._answers.append(answer)
        return answer

    def _list(self, name: str, method: Callable[..., Any]) -> tuple[Any, ...]:
        return tuple(self._ask(name, method, self._whole))

    def _list_warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for answer in self._answers for each in answer.warnings))


def choose_period(organizations: tuple[Organization, ...], exchange_count: int) -> str:
    """The shortest period with enough exchanges in each on average, and not too many periods."""
    days = sorted(_list_exchange_days(organizations))
    length = (days[-1] - days[0]).days if days else 0
    for period, period_days in _PERIOD_DAYS.items():
        count = max(1.0, length / period_days)
        if count <= _MAX_PERIODS and exchange_count >= _MIN_EXCHANGES * count:
            return period
    return "year" if length > _YEAR else "month"


def _list_exchange_days(organizations: tuple[Organization, ...]) -> Iterator[date]:
    for each in organizations:
        if each.HasField("first_exchange_date"):
            yield to_day(each.first_exchange_date)
            yield to_day(each.last_exchange_date)
