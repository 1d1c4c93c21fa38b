"""What stands out: a finding is a function here and a line in FINDINGS."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from services.ledger.wording import format_count
from services.report.answers import ReportAnswers
from services.report.flows import list_curves
from services.report.mutuality import describe_reasons
from services.report.one_sided_pairs import MAX_Q
from services.report.text import Names, Unit, format_ratio, format_share
from services.report.trend import make_trend


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFinding:
    """One sentence, the numbers that it rests on, and what it does not say."""

    statement: str
    evidence: str
    limits: str


_TOP: Final = 3
FindingFunction = Callable[[ReportAnswers, Names], ReportFinding | None]


def list_findings(answers: ReportAnswers, names: Names) -> Iterator[ReportFinding]:
    """The findings that these answers have, in the order of FINDINGS."""
    for find in FINDINGS:
        finding = find(answers, names)
        if finding is not None:
            yield finding


def find_way_back(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    row = answers.reciprocity
    if row.circulating is None or row.direct is None or row.one_way is None:
        return None
    flow = "time" if Unit.of(answers.question.lens).is_minutes else "exchange"
    return ReportFinding(
        statement=f"{format_share(row.direct)} of the {flow} comes back between the same two "
        f"organizations, and another {format_share(row.circulating)} through others.",
        evidence=f"{format_share(row.relayed)} is given on, and {format_share(row.one_way)} "
        "remains with organizations that received more than they gave.",
        limits="What circulates is the most that can have come back, because nobody records why "
        "something was given.",
    )


def find_dependence(answers: ReportAnswers, names: Names) -> ReportFinding | None:
    row = answers.reciprocity
    low, high = row.lowest_without, row.highest_without
    if low is None or high is None or row.weighted_reciprocity is None or row.verdict is None:
        return None
    return ReportFinding(
        statement="Leaving one organization out moves the returned share between "
        f"{format_share(low.weighted_reciprocity)} and {format_share(high.weighted_reciprocity)}.",
        evidence=f"It is {format_share(row.weighted_reciprocity)} with all, lowest without "
        f"{names[low.organization_id]} and highest without {names[high.organization_id]}.",
        limits="An organization that stops would also change what the others do.",
    )


def find_concentration(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    giving, receiving = list_curves(answers.concentrations)
    if giving.top_three_share is None or giving.organization_count <= _TOP:
        return None
    received = ""
    if receiving.gini is not None:
        received = (
            f"; of receiving {format_ratio(receiving.gini)} and "
            f"{format_share(receiving.top_three_share)}"
        )
    return ReportFinding(
        statement=f"Three of {format_count(giving.organization_count, 'organization')} give "
        f"{format_share(giving.top_three_share)} of what is given.",
        evidence=f"The Gini coefficient of giving is {format_ratio(giving.gini)} and the top three "
        f"share {format_share(giving.top_three_share)}{received}.",
        limits="Early sites often give more, and organizations that record more seem to give more.",
    )


def find_one_sided_pairs(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    family = [pair.q_value for pair in answers.pairs if pair.HasField("q_value")]
    if len(family) < 2:
        return None
    count = sum(q <= MAX_Q for q in family)
    pairs = format_count(len(family), "pair")
    return ReportFinding(
        statement=f"{count or 'None'} of {pairs} with enough contact days "
        f"{'is' if count == 1 else 'are'} more one-sided than chance explains.",
        evidence=f"Exact binomial test over contact days, q at most {MAX_Q} after Benjamini and "
        f"Hochberg; {format_count(len(answers.pairs), 'pair')} had contact.",
        limits="Fewer than 6 contact days are too few to say anything. One-sided is no fault: "
        "others may pay back.",
    )


def find_single_sources(answers: ReportAnswers, names: Names) -> ReportFinding | None:
    row = answers.structure
    if not row.sole_source_receiver_count:
        return None
    sources = Counter(each.only_source_id for each in row.reaches if each.only_source_id)
    described = ""
    if sources:
        source = min(sources, key=lambda each: (-sources[each], each or ""))
        described = f" The most frequent one is {names[source or '']}, for {sources[source]:,}."
    receivers = format_count(row.receiver_count, "receiver", "has")
    return ReportFinding(
        statement=f"{row.sole_source_receiver_count:,} of {receivers} a single source.",
        evidence=f"{format_count(row.tie_count, 'tie')} among "
        f"{format_count(row.organization_count, 'organization')}.{described}",
        limits="A tie says that something was given, not how much; other sources may be "
        "unrecorded.",
    )


def find_isolates(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    row = answers.structure
    if not row.isolate_count:
        return None
    confirmed = ""
    if row.confirmed_isolate_count:
        confirmed = f" {row.confirmed_isolate_count:,} of them reported that there was nothing."
    organizations = format_count(row.organization_count, "organization", "has")
    return ReportFinding(
        statement=f"{row.isolate_count:,} of {organizations} no exchange on record.",
        evidence=f"No exchange of any kind in the window, joint ones included.{confirmed}",
        limits="Nothing recorded is not nothing shared: informal exchange is easily missed.",
    )


def find_movement(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    row = answers.structure
    if row.newcomer_count is None or row.stopped_count is None:
        return None
    if not row.newcomer_count and not row.stopped_count:
        return None
    came = format_count(row.newcomer_count, "organization", "has")
    stopped = "no organization has"
    if row.stopped_count:
        stopped = format_count(row.stopped_count, "organization", "has")
    return ReportFinding(
        statement=f"{came} a first exchange in the window; {stopped} earlier ones and none in it.",
        evidence="First and last exchanges of the whole history, compared with the window.",
        limits="An organization may have joined, merged or closed; the roster says where it is "
        "known.",
    )


def find_trend(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    trend = make_trend(answers.series, answers.period, answers.unplaced_count)
    judged = trend.judged_points
    if len(judged) < 2 or judged[0].returned is None or judged[-1].returned is None:
        return None
    above = sum(each.verdict == "above-chance" for each in judged)
    periods = format_count(len(judged), answers.period)
    others = ""
    if unjudged := len(trend.points) - len(judged):
        others = f"{format_count(unjudged, answers.period, 'has')} too little for a verdict; "
    return ReportFinding(
        statement=f"In {above or 'none'} of {periods} with a verdict, more was returned than "
        "chance explains.",
        evidence=f"{format_share(judged[0].returned)} was returned in {judged[0].label} and "
        f"{format_share(judged[-1].returned)} in {judged[-1].label}.",
        limits=f"{others}what is returned later does not count.".capitalize(),
    )


def find_one_sided_reporting(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    mutual = [pair for pair in answers.pairs if pair.HasField("informants")]
    single = sum(pair.informants == 1 for pair in mutual)
    if not single or len(mutual) == 1:
        return None
    others = len(mutual) - single
    pairs = format_count(len(mutual), "pair")
    return ReportFinding(
        statement=f"{f'{single:,} of' if others else 'All'} {pairs} in which both gave "
        f"{'is' if single == 1 else 'are'} known from one side alone.",
        evidence=f"Of the other {others:,}, each side reported an exchange of theirs."
        if others
        else "In no pair has each side reported an exchange of theirs.",
        limits="One report of both directions is not confirmed by the other side.",
    )


def find_missing_verdict(answers: ReportAnswers, _: Names) -> ReportFinding | None:
    row = answers.reciprocity
    if row.verdict is not None or not row.reasons or not row.exchange_count:
        return None
    return ReportFinding(
        statement="The numbers do not support a verdict.",
        evidence=f"Reason: {describe_reasons(row.reasons)} ({', '.join(row.reasons)}).",
        limits="The counts stand; what they mean is left open.",
    )


FINDINGS: Final[tuple[FindingFunction, ...]] = (
    find_missing_verdict,
    find_way_back,
    find_dependence,
    find_trend,
    find_concentration,
    find_one_sided_pairs,
    find_single_sources,
    find_isolates,
    find_movement,
    find_one_sided_reporting,
)
