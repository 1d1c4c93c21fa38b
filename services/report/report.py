"""The report as data: everything the page shows, computed from answers alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from mutua.enum_words import words_by_number
from mutua.frames import to_day
from mutua.v1.query_service_pb2 import Lens, Question
from mutua.v1.types_pb2 import ExchangeKind, Formality
from services.report.answers import ReportAnswers
from services.report.attention import AttentionList, list_attention
from services.report.coverage import describe_reporting, list_limits
from services.report.findings import ReportFinding, list_findings
from services.report.flows import (
    BarOrder,
    FlowBars,
    LorenzCurve,
    SplitPart,
    list_bars,
    list_curves,
    split_flow,
)
from services.report.methods import Methods, describe_methods
from services.report.mutuality import Mutuality, describe_mutuality
from services.report.network_map import NetworkMap, map_network
from services.report.one_sided_pairs import OneSidedPairs, list_one_sided_pairs
from services.report.subset import narrow_to_subset
from services.report.text import Names, Unit, clean_name, format_day, join_words
from services.report.trend import Trend, make_trend

LENS_NAMES = {
    "count": "exchanges",
    "burden": "minutes that givers spent (burden)",
    "attention": "minutes that receivers spent (attention)",
    "benefit": "minutes that receivers gained (benefit)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page shows. Amounts are exchanges or minutes; shares are from 0 to 1."""

    programme: str
    unit: Unit
    basis: tuple[tuple[str, str], ...]
    """What the report is about: window, lens, filters, position and date."""
    totals: tuple[tuple[str, str], ...]
    reporting: str
    limits: tuple[str, ...]
    mutuality: Mutuality
    findings: tuple[ReportFinding, ...]
    network: NetworkMap
    bars: FlowBars
    split: tuple[SplitPart, ...]
    curves: tuple[LorenzCurve, ...]
    trend: Trend
    pairs: OneSidedPairs
    attention: tuple[AttentionList, ...]
    methods: Methods


def build_report(answers: ReportAnswers, *, bar_order: BarOrder = "name") -> Report:
    answers = narrow_to_subset(answers)
    names = Names(answers.organizations)
    unit = Unit.of(answers.question.lens)
    return Report(
        programme=clean_name(answers.question.programme_id),
        unit=unit,
        basis=tuple(_describe_basis(answers, names)),
        totals=tuple(_list_totals(answers, unit)),
        reporting=describe_reporting(answers.coverage),
        limits=tuple(list_limits(answers.coverage, answers.warnings, is_minutes=unit.is_minutes)),
        mutuality=describe_mutuality(answers.reciprocity, unit),
        findings=tuple(list_findings(answers, names)),
        network=map_network(answers.nodes, answers.edges, answers.organizations, names),
        bars=list_bars(answers.balances, names, bar_order),
        split=split_flow(answers.reciprocity),
        curves=list_curves(answers.concentrations),
        trend=make_trend(answers.series, answers.period, answers.unplaced_count),
        pairs=list_one_sided_pairs(answers.asymmetries, answers.pairs, names),
        attention=list_attention(answers.structure, names),
        methods=describe_methods(answers),
    )


def describe_window(question: Question) -> str:
    """Such as "1 January 2026 to 30 June 2026", both days included."""
    first = last = ""
    if question.HasField("from_date"):
        first = format_day(to_day(question.from_date))
    if question.HasField("to_date"):
        last = format_day(to_day(question.to_date) - timedelta(days=1))
    if first and last:
        return f"{first} to {last}"
    if first:
        return f"From {first}"
    return f"Up to {last}" if last else "All time"


def _describe_basis(answers: ReportAnswers, names: Names) -> Iterator[tuple[str, str]]:
    question = answers.question
    lens = words_by_number(Lens.items())[question.lens]
    yield "Window", describe_window(question)
    yield "Counted", LENS_NAMES[lens].capitalize()
    if narrowing := list(_describe_filters(question, names)):
        yield "Only", "; ".join(narrowing)
    yield "As of", format_day(answers.as_of_date)
    yield "Log position", answers.position


def _describe_filters(question: Question, names: Names) -> Iterator[str]:
    kinds, formalities = words_by_number(ExchangeKind.items()), words_by_number(Formality.items())
    for label, values in (
        ("kind", [kinds[each] for each in question.kinds]),
        ("formality", [formalities[each] for each in question.formalities]),
        ("topic", [clean_name(each) for each in question.topics]),
        ("organizations with", [clean_name(f"{w.attribute} {w.value}") for w in question.where]),
        ("rows of", [names[each] for each in question.organization_ids]),
    ):
        if values:
            yield f"{label} {join_words(values)}"


def _list_totals(answers: ReportAnswers, unit: Unit) -> Iterator[tuple[str, str]]:
    row = answers.reciprocity
    yield "Exchanges", f"{row.exchange_count:,}"
    if unit.is_minutes:
        yield "Known time", unit.format(row.total)
    active_count = row.organization_count - answers.structure.isolate_count
    yield "In contact", f"{active_count:,} of {row.organization_count:,}"
    yield "Ties", f"{row.tie_count:,}"
    coverage = answers.coverage
    if coverage.roster_count:
        yield (
            "Recorded an exchange",
            (f"{coverage.recorded_count:,} of {coverage.roster_count:,}"),
        )
