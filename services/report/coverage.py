"""How much of what happened a report rests on, in sentences for readers who did not record it."""

from collections.abc import Iterable, Iterator
from typing import Final

from mutua.v1.query_service_pb2 import Coverage
from services.ledger.wording import format_count

WARNING_SENTENCES: Final = {
    "MANY_UNKNOWN": "More than a fifth of the minutes are unknown (MANY_UNKNOWN), so amounts may "
    "be low and nothing is said about who gives more.",
    "NO_VERDICT": "There is no verdict (NO_VERDICT); the reason is given with the measure.",
    "POSSIBLE_DOUBLE_REPORTS": "Some exchanges may be counted twice (POSSIBLE_DOUBLE_REPORTS), "
    "because another side reported the same parties, kind and day.",
    "TOPICS_OVERLAP": "Exchanges with several topics count under each of them (TOPICS_OVERLAP).",
    "UNBOUND_NAMES": "Some names are spelled like an organization on the roster and are not bound "
    "to it (UNBOUND_NAMES), so that one organization may count as two.",
    "FACTS_QUARANTINED": "Some facts could not be applied and count nowhere (FACTS_QUARANTINED).",
    "FACTS_WAITING": "Some facts wait for others that they refer to (FACTS_WAITING).",
}


def describe_reporting(coverage: Coverage) -> str:
    """Who is on record, such as "43 of 60 organizations have recorded an exchange; ..."."""
    if not coverage.roster_count:
        return "No roster is known, so that silence cannot be seen."
    organizations = format_count(coverage.roster_count, "organization")
    if not coverage.recorded_count:
        others = ": others did for them" if coverage.exchange_count else ""
        return f"None of {organizations} recorded an exchange in this window{others}."
    sentence = f"{coverage.recorded_count:,} of {organizations} recorded an exchange in this window"
    silent_count = coverage.roster_count - coverage.recorded_count
    if not silent_count:
        return f"{sentence}."
    return f"{sentence}; {silent_count:,} did not, so that their totals may be low."


def list_limits(coverage: Coverage, warnings: Iterable[str], *, is_minutes: bool) -> Iterator[str]:
    """A sentence for each limit of all numbers; unknown minutes limit only what counts minutes."""
    yield describe_reporting(coverage)
    directed_count = coverage.exchange_count - coverage.joint_count - coverage.internal_count
    if coverage.unknown_minutes_count and is_minutes:
        directed = format_count(directed_count, "exchange")
        yield f"The minutes of {coverage.unknown_minutes_count:,} of {directed} are not known."
    if coverage.joint_count:
        joint = format_count(coverage.joint_count, "exchange", "is")
        yield f"{joint} of all parties together: a contact, but neither given nor received."
    if coverage.internal_count:
        internal = format_count(coverage.internal_count, "exchange", "is")
        yield f"{internal} within one organization and left out of every number."
    if coverage.straddling_count:
        straddling = format_count(coverage.straddling_count, "exchange", "is")
        yield f"{straddling} known only to a month or quarter that lies partly outside the window."
    for warning in warnings:
        yield WARNING_SENTENCES.get(warning, warning)
