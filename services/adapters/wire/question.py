"""Questions on the wire. Unsupported fields are refused by name, never ignored."""

from collections.abc import Iterable
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire.values import EnumT, InvalidFieldError, from_day, tidy, to_date, to_enum
from services.ledger.enums import Allocation, Formality, Identity, Kind, Lens, Population
from services.ledger.errors import ImpossibleQuestionError, UnimplementedError, Violation
from services.ledger.half_life import MAX_HALF_LIFE_DAYS
from services.ledger.organization import ATTRIBUTES, describe_unknown_attribute
from services.ledger.question import OPEN_SCOPE, Question, Scope
from services.ledger.times import Day, date_to_day
from services.ledger.validation import Violations, check_id, check_programme, check_topic

_UNIMPLEMENTED_FIELDS: Final = {
    "known_at": "known_at",
}
"""Fields of a later version, with the filter's name in the message."""


def to_question(
    message: pb.Question,
    *,
    today: Day,
    scope: Scope = OPEN_SCOPE,
    takes_subset: bool = False,
    takes_half_life: bool = False,
) -> Question:
    """Parses a question.

    Only with `takes_subset` may it select organizations by attributes, and only with
    `takes_half_life` may it have one.

    Raises UnimplementedError or ImpossibleQuestionError, which name the field.
    """
    for field, _ in message.ListFields():
        if field.name in _UNIMPLEMENTED_FIELDS:
            raise _make_unimplemented_error(field.name, _UNIMPLEMENTED_FIELDS[field.name])
    if message.report_view not in (pb.REPORT_VIEW_UNSPECIFIED, pb.REPORT_VIEW_UNION):
        raise _make_unimplemented_error("report_view", "report_view other than union")
    if message.basis not in (pb.BASIS_UNSPECIFIED, pb.BASIS_REPORTED):
        raise _make_unimplemented_error("basis", "basis other than reported")
    if message.identity == pb.IDENTITY_AS_WAS:
        raise _make_unimplemented_error("identity", "identity as-was")
    if message.where and not takes_subset:
        raise _make_unimplemented_error("where", "where, except in analyses,")
    if message.HasField("half_life_days") and not takes_half_life:
        raise _make_unimplemented_error(
            "half_life_days", "a half-life, except of balances and graphs,"
        )
    try:
        question = _parse(message, today, scope)
    except InvalidFieldError as unfit:
        raise _make_impossible_error(*unfit.violations) from None
    violations = _find_violations(message, question)
    if violations:
        raise _make_impossible_error(*violations)
    return question


def from_question(question: Question) -> pb.Question:
    """Builds the question as it was answered, with the population of `question`."""
    return pb.Question(
        programme_id=question.programme_id,
        lens=pb.Lens.ValueType(question.lens),
        allocation=pb.Allocation.ValueType(question.allocation),
        from_date=None if question.from_day is None else from_day(question.from_day),
        to_date=None if question.to_day is None else from_day(question.to_day),
        kinds=map(types_pb2.ExchangeKind.ValueType, question.kinds),
        formalities=map(types_pb2.Formality.ValueType, question.formalities),
        topics=question.topics,
        organization_ids=question.organization_ids,
        identity=pb.Identity.ValueType(question.identity),
        report_view=pb.REPORT_VIEW_UNION,
        population=pb.Population.ValueType(question.population),
        where=[pb.AttributeFilter(attribute=name, value=value) for name, value in question.where],
        basis=pb.BASIS_REPORTED,
        as_of_date=from_day(question.as_of_day),
        half_life_days=question.half_life_days,
    )


def _parse(message: pb.Question, today: Day, scope: Scope) -> Question:
    has = message.HasField
    return Question(
        programme_id=message.programme_id,
        scope=scope,
        lens=to_enum(Lens, message.lens, "lens", Lens.COUNT),
        allocation=to_enum(Allocation, message.allocation, "allocation", Allocation.SPLIT),
        from_day=date_to_day(to_date(message.from_date, "from_date")) if has("from_date") else None,
        to_day=date_to_day(to_date(message.to_date, "to_date")) if has("to_date") else None,
        kinds=_to_enums(Kind, message.kinds, "kinds"),
        formalities=_to_enums(Formality, message.formalities, "formalities"),
        topics=tuple(sorted({tidy(topic) for topic in message.topics})),
        organization_ids=tuple(sorted({tidy(name) for name in message.organization_ids})),
        identity=to_enum(Identity, message.identity, "identity", Identity.AS_NOW),
        population=to_enum(Population, message.population, "population"),
        where=tuple(sorted({(each.attribute, tidy(each.value)) for each in message.where})),
        as_of_day=date_to_day(to_date(message.as_of_date, "as_of_date"))
        if has("as_of_date")
        else today,
        half_life_days=message.half_life_days if has("half_life_days") else None,
    )


def _find_violations(message: pb.Question, question: Question) -> Violations:
    """Returns the violations, with their paths in the message."""
    violations: Violations = []
    check_programme(question.programme_id, violations)
    for index, organization_id in enumerate(message.organization_ids):
        check_id(tidy(organization_id), f"organization_ids[{index}]", violations)
    for index, topic in enumerate(message.topics):
        check_topic(tidy(topic), f"topics[{index}]", violations)
    for index, kind in enumerate(message.kinds):
        if not kind:
            violations.append(
                Violation(f"kinds[{index}]", "is unspecified; every exchange has a kind")
            )
    for index, each in enumerate(message.where):
        path = f"where[{index}].attribute"
        if each.attribute not in ATTRIBUTES:
            violations.append(Violation(path, describe_unknown_attribute(each.attribute)))
    half_life = question.half_life_days
    if half_life is not None and not 1 <= half_life <= MAX_HALF_LIFE_DAYS:
        violations.append(
            Violation("half_life_days", f"is not between 1 and {MAX_HALF_LIFE_DAYS:,}")
        )
    start, end = question.from_day, question.to_day
    if start is not None and end is not None and start >= end:
        violations.append(Violation("to_date", "must be after from_date; the window is half open"))
    return violations


def _to_enums(words: type[EnumT], values: Iterable[int], path: str) -> tuple[EnumT, ...]:
    """Returns the unique members by number; 0 selects unspecified ones."""
    members = (to_enum(words, value, f"{path}[{index}]") for index, value in enumerate(values))
    return tuple(sorted(set(members)))


def _make_unimplemented_error(field: str, option: str) -> UnimplementedError:
    return UnimplementedError(
        f"{option} is not answered by this version of mutua",
        (Violation(f"question.{field}", "is not answered by this version"),),
        remedy="leave it out",
    )


def _make_impossible_error(*violations: Violation) -> ImpossibleQuestionError:
    named = tuple(violation.prefix_field("question.") for violation in violations)
    words = "; ".join(f"{violation.field} {violation.description}" for violation in named)
    return ImpossibleQuestionError(f"the question cannot be answered: {words}", named)
