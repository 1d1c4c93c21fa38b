"""Messages about answers. No word judges, because giving and receiving are both needed."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from mutua.v1.analysis_service_pb2 import PairAsymmetry
from mutua.v1.query_service_pb2 import Balance, Coverage, Pair, Question
from services.ledger.question import MIN_DIRECTED_EXCHANGES
from services.ledger.wording import NEITHER_IS_BETTER as NEITHER_IS_BETTER
from services.ledger.wording import format_count

EVEN_SHARE: Final = 0.20
WARNING_LINES: Final = {
    "MODEL_MOVED": "Facts were recorded while this list was read (MODEL_MOVED): a row may be "
    "missing or appear twice. Ask again for one consistent list.",
    "MANY_UNKNOWN": "More than a fifth of the minutes are unknown (MANY_UNKNOWN): amounts may be "
    "low, so nothing is said about who gives more.",
    "POSSIBLE_DOUBLE_REPORTS": "{doubles} may be counted twice (POSSIBLE_DOUBLE_REPORTS): another "
    "side reported the same parties, kind and day. To see them: "
    "{mutua} exchanges --possible-doubles.",
    "TOPICS_OVERLAP": "Figures by topic do not add up (TOPICS_OVERLAP): an exchange with several "
    "topics counts under each of them.",
    "UNBOUND_NAMES": "Some recorded ids are spelled like an organization on the roster and are not "
    "bound to it (UNBOUND_NAMES), so one organization counts as two.",
    "FACTS_QUARANTINED": "Some facts could not be applied (FACTS_QUARANTINED); they count nowhere. "
    "To see which, and what to do: {mutua} quarantine list.",
    "FACTS_WAITING": "Some facts wait for a fact that they refer to (FACTS_WAITING).",
}


def format_amount(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"


def format_unless_zero(count: int) -> str:
    return format_amount(count) if count else ""


def describe_balance(balance: Balance, warnings: Iterable[str]) -> str:
    """The direction of a balance; "" if too many minutes are unknown to state one."""
    directed_count = balance.exchange_count - balance.joint_count
    if balance.exchange_count == 0:
        return describe_absence(balance.reasons)
    if "MANY_UNKNOWN" in warnings or not balance.HasField("net"):
        return ""
    if directed_count < MIN_DIRECTED_EXCHANGES:
        return "too few"
    if "MANY_UNKNOWN" in balance.reasons:
        return "many minutes unknown"
    if not balance.HasField("net_share"):
        return "no known amount"
    if abs(balance.net_share) <= EVEN_SHARE:
        return "about even"
    return "gives more" if balance.net_share > 0 else "receives more"


def describe_absence(reasons: Collection[str]) -> str:
    """Why an organization has no exchange in an answer."""
    return "none of these" if "NONE_OF_THESE" in reasons else "nothing seen"


def describe_pair(pair: Pair | PairAsymmetry) -> str:
    """What to keep in mind of one pair."""
    remarks = ["days point the other way"] if pair.direction_differs else []
    remarks += ["many minutes unknown"] if "MANY_UNKNOWN" in pair.reasons else []
    return ", ".join(remarks)


def coverage_lines(coverage: Coverage, question: Question | None = None) -> list[str]:
    """What the answer to a question rests on, a sentence each."""
    if coverage.roster_count and not coverage.recorded_count:
        seen = (
            f"None of {format_count(coverage.roster_count, 'organization')} on the roster recorded "
            "something itself in this window (--as says who records); "
        )
    elif coverage.roster_count:
        seen = (
            f"{coverage.recorded_count:,} of {format_count(coverage.roster_count, 'organization')} "
            "on the roster recorded something in this window; "
        )
    else:
        seen = "No organization is on the roster, so nobody is seen to be silent; "
    directed_count = coverage.exchange_count - coverage.joint_count - coverage.internal_count
    unknown_count = coverage.unknown_minutes_count
    if directed_count:
        directed = format_count(directed_count, "directed exchange")
        have = "has" if unknown_count == 1 or directed_count == 1 else "have"
        lines = [f"{seen}{unknown_count:,} of {directed} {have} no minutes."]
    else:
        lines = [f"{seen}no {'directed ' if coverage.exchange_count else ''}exchange was found."]
    if coverage.internal_count:
        internal, are = format_count(coverage.internal_count, "exchange"), "are"
        if coverage.internal_count == 1:
            are = "is"
        lines.append(
            f"{internal} {are} internal to one organization once its aliases are resolved, and "
            f"{are} left out of every number."
        )
    if coverage.joint_count:
        lines.append(
            f"{format_count(coverage.joint_count, 'exchange')} of all parties together: "
            "a contact, but neither given nor received."
        )
    if coverage.straddling_count:
        lines.append(straddling_line(coverage, question or Question()))
    return lines


def straddling_line(coverage: Coverage, question: Question) -> str:
    """Where exchanges are counted whose month or quarter lies partly outside the window."""
    year, month = question.from_date.year, question.from_date.month
    places = {
        "here": coverage.straddling_counted_count,
        f"in {year}-{month:02}": coverage.straddling_month_count,
        f"in {year}-Q{(month + 2) // 3}": coverage.straddling_quarter_count,
    }
    total = coverage.straddling_count
    counts = [
        f"{'it' if total == 1 else f'{count:,}'} {'is' if count == 1 else 'are'} counted {place}"
        for place, count in places.items()
        if count
    ]
    return (
        f"{format_count(total, 'exchange')} {'is' if total == 1 else 'are'} known only to a "
        "month or "
        f"quarter that lies partly outside the window: {', '.join(counts)}."
    )


def isolate_lines(isolates: Sequence[str], others: Sequence[str] = ()) -> list[str]:
    """Who has no exchange in an answer: isolates, and others that have some which do not count."""
    lines = []
    if isolates:
        silent = format_count(len(isolates), "organization")
        lines += [
            f"Nothing seen of {silent}: {', '.join(isolates)}.",
            "They may share in ways that nobody recorded.",
        ]
    if others:
        have = "has" if len(others) == 1 else "have"
        organizations = format_count(len(others), "organization")
        lines.append(f"{organizations} {have} none of these exchanges: {', '.join(others)}.")
    return lines


def unplaced_lines(unplaced_count: int) -> list[str]:
    """How many exchanges a series by month leaves out, if any."""
    exchanges = format_count(unplaced_count, "exchange", "is")
    return [f"{exchanges} not known to the month, and left out."] if unplaced_count else []


def empty_programme_line(programme: str, others: Iterable[str]) -> str:
    """States that a programme is empty and lists the others, in case the name is mistyped."""
    there = ", ".join(each for each in others if each != programme)
    here = f"; programmes here: {there}" if there else ""
    return f"nothing was recorded in programme {programme!r}{here}"


def doubles_line(coverage: Coverage, row_count: int, *, is_whole: bool) -> str:
    """How many possible doubles there are; `is_whole` when all their exchanges are shown."""
    doubles = format_count(coverage.possible_double_count, "possible double report")
    exchanges = format_count(row_count, "exchange")
    return f"{doubles}: {exchanges}." if is_whole else f"{doubles} in all; {exchanges} shown."


def warning_lines(
    warnings: Iterable[str], mutua: str = "mutua", coverage: Coverage | None = None
) -> list[str]:
    """`mutua` is how the command was typed, with its global options."""
    double_count = 0 if coverage is None else coverage.possible_double_count
    doubles = format_count(double_count, "exchange")
    return [
        WARNING_LINES.get(warning, warning).format(mutua=mutua, doubles=doubles)
        for warning in warnings
    ]
