"""The invented model of sharing in the demo programme: kinds, odds and minutes."""

from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from mutua.v1 import types_pb2 as enums
from mutua.v1.event_pb2 import ExchangeContent

Kind: TypeAlias = enums.ExchangeKind.ValueType
Precision: TypeAlias = enums.OccurPrecision.ValueType


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a kind of exchange starts by itself, how formal it is, and its minutes."""

    start_weight: int  # relative to the other kinds
    formal_odds: float
    giver_minutes: range
    receiver_minutes: range = range(0)


HABITS: Final = {
    enums.EXCHANGE_KIND_DOCUMENT: Habit(36, 0.75, range(15, 125, 5), range(30, 185, 5)),
    enums.EXCHANGE_KIND_MESSAGE: Habit(16, 0.05, range(5, 35, 5), range(5, 25, 5)),
    enums.EXCHANGE_KIND_CALL: Habit(0, 0.1, range(15, 65, 5), range(15, 65, 5)),
    enums.EXCHANGE_KIND_VISIT: Habit(0, 0.3, range(120, 390, 30), range(240, 630, 30)),
    enums.EXCHANGE_KIND_SHARED_CONFIGURATION: Habit(8, 0.1, range(60, 495, 15), range(60, 615, 15)),
    enums.EXCHANGE_KIND_ADVICE: Habit(20, 0.05, range(15, 95, 5), range(15, 65, 5)),
    enums.EXCHANGE_KIND_MEETING: Habit(10, 0.5, range(60, 195, 15), range(30, 105, 15)),
    enums.EXCHANGE_KIND_WEBINAR: Habit(7, 0.9, range(90, 255, 15), range(45, 105, 15)),
    enums.EXCHANGE_KIND_WORKSHOP: Habit(3, 0.6, range(240, 975, 15)),
}
# A blueprint leads to a message, that to a call, that to a visit, with falling odds.
FOLLOW_UPS: Final[dict[Kind, tuple[Kind, float]]] = {
    enums.EXCHANGE_KIND_DOCUMENT: (enums.EXCHANGE_KIND_MESSAGE, 0.7),
    enums.EXCHANGE_KIND_MESSAGE: (enums.EXCHANGE_KIND_CALL, 0.5),
    enums.EXCHANGE_KIND_CALL: (enums.EXCHANGE_KIND_VISIT, 0.35),
}
FOLLOW_UP_DELAY_DAYS: Final = (2, 21)
SYMMETRIC_ODDS: Final = {enums.EXCHANGE_KIND_WORKSHOP: 1.0, enums.EXCHANGE_KIND_MEETING: 0.3}
SYMMETRIC_PARTIES: Final = (2, 4)
WEBINAR_RECEIVERS: Final = (5, 15)

UNKNOWN_MINUTES_ODDS: Final = 0.1
KNOWN_BENEFIT_ODDS: Final = 0.1
BENEFIT_MINUTES: Final = range(60, 3_060, 60)
UNKNOWN_FORMALITY_ODDS: Final = 0.07
TOPIC_COUNTS: Final = (0, 1, 1, 1, 1, 1, 1, 2, 2, 2)
TOPICS: Final = (
    "bed-management",
    "benefits-realization",
    "change-management",
    "clinical-safety",
    "data-quality",
    "e-prescribing",
    "electronic-observations",
    "interoperability",
    "patient-portal",
    "results-viewing",
)

PARTNER_ODDS: Final = 0.4  # the receiver is the giver's own exemplar or follower
KIN_ODDS: Final = 0.3  # the receiver shares a core system or a strategic grouping with the giver

OFFICE_RECORDS_ODDS: Final = 0.18
RECEIVER_RECORDS_ODDS: Final = 0.22  # the giver records the rest
REPORT_SIDE_ODDS: Final = 0.25

PROMPT_DAYS: Final = (0, 4)
LATE_DAYS: Final = (21, 70)
LATE_ODDS: Final = 0.06
CORRECTION_DELAY_DAYS: Final = (7, 28)

# Chains need days: the start of a month could lie before the exchange that a step follows.
CHAIN_PRECISION_WEIGHTS: Final = {enums.OCCUR_PRECISION_EXACT: 78, enums.OCCUR_PRECISION_DAY: 22}
PRECISION_WEIGHTS: Final = {
    enums.OCCUR_PRECISION_EXACT: 70,
    enums.OCCUR_PRECISION_DAY: 18,
    enums.OCCUR_PRECISION_MONTH: 8,
    enums.OCCUR_PRECISION_QUARTER: 4,
}
WORKING_MINUTES: Final = range(8 * 60, 18 * 60, 5)


def draw_kind(random: Random) -> Kind:
    weights = [habit.start_weight for habit in HABITS.values()]
    return random.choices(list(HABITS), weights)[0]


def draw_precision(random: Random, kind: Kind) -> Precision:
    in_chain = kind in FOLLOW_UPS or kind == enums.EXCHANGE_KIND_VISIT
    weights = CHAIN_PRECISION_WEIGHTS if in_chain else PRECISION_WEIGHTS
    return random.choices(list(weights), list(weights.values()))[0]


def draw_delay_days(random: Random) -> int:
    """Draws the number of days until an exchange is reported."""
    return random.randint(*(LATE_DAYS if random.random() < LATE_ODDS else PROMPT_DAYS))


def fill_in(random: Random, content: ExchangeContent) -> None:
    """Draws formality, minutes and, unless there are some, topics of an exchange."""
    habit = HABITS[content.kind]
    if random.random() > UNKNOWN_FORMALITY_ODDS:
        formal = random.random() < habit.formal_odds
        content.formality = enums.FORMALITY_FORMAL if formal else enums.FORMALITY_INFORMAL
    if not content.topics:
        content.topics.extend(sorted(random.sample(TOPICS, random.choice(TOPIC_COUNTS))))
    if content.kind == enums.EXCHANGE_KIND_WEBINAR or random.random() > UNKNOWN_MINUTES_ODDS:
        content.giver_minutes = random.choice(habit.giver_minutes)
    if content.party_ids:
        return
    if random.random() > UNKNOWN_MINUTES_ODDS:
        content.receiver_minutes = random.choice(habit.receiver_minutes)
    if random.random() < KNOWN_BENEFIT_ODDS:
        content.benefit_minutes = random.choice(BENEFIT_MINUTES)
