"""Messages to people say "1 fact" and "1 exchange has"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from mutua.v1.query_service_pb2 import Coverage, Question
from mutua.v1.types_pb2 import Date
from services.cli import messages
from services.ledger.wording import format_count

ROOT = Path(__file__).parent.parent
NOUNS = (
    "alias|batch|byte|cell|change|character|column|connection|correction|day|difference|error|event"
    "|exchange|fact|file|id|member|name|node|number|organization|page|pair|partition|programme"
    "|question|record|replica|report|revision|row|sheet|tie|topic|value|warning"
)
PLURAL = re.compile(rf" (?:more |new |other |directed )?(?:{NOUNS}|aliase|batche)s\b")
ONE_AS_MANY = re.compile(
    rf"\b1 (?:\w+ )?(?:{NOUNS})s\b|(?<!of )\b1 (?:\w+ )?(?:{NOUNS}) (?:are|have|were)\b"
)
OVER_A_LIMIT = {
    "services/adapters/grpc/server.py",
    "services/adapters/kafka/log.py",
    "services/ingest/request_validation.py",
    "services/ledger/validation.py",
    "services/query/exchanges.py",
    "services/query/quarantine.py",
}
"""Files whose counts with a plural noun exceed a limit, which is more than one."""


@pytest.mark.parametrize(
    ("count", "verb", "text"),
    [
        (0, "", "0 exchanges"),
        (1, "", "1 exchange"),
        (1_200, "", "1,200 exchanges"),
        (1, "has", "1 exchange has"),
        (2, "has", "2 exchanges have"),
        (0, "was", "0 exchanges were"),
        (2, "stands", "2 exchanges stand"),
    ],
)
def test_noun_and_verb_agree_with_count(count: int, verb: str, text: str) -> None:
    assert format_count(count, "exchange", verb) == text


def make_answer_lines() -> Iterator[str]:
    """Every line about coverage and isolates, with counts of 0, 1 and 2."""
    fields = [field for field in Coverage.DESCRIPTOR.fields_by_name if field != "straddling_count"]
    question = Question(from_date=Date(year=2026, month=3, day=15))
    for count, other in product((0, 1, 2), repeat=2):
        for field in fields:
            coverage = Coverage(**{**dict.fromkeys(fields, other), field: count})
            coverage.exchange_count += coverage.joint_count + coverage.internal_count
            coverage.straddling_count = (
                coverage.straddling_counted_count
                + coverage.straddling_month_count
                + coverage.straddling_quarter_count
            )
            yield from messages.coverage_lines(coverage, question)
            yield from messages.warning_lines(messages.WARNING_LINES, coverage=coverage)
            yield messages.doubles_line(coverage, other, is_whole=True)
            yield messages.doubles_line(coverage, other, is_whole=False)
    for count, other in product((0, 1, 2), repeat=2):
        yield from messages.isolate_lines(["A"] * count, ["B"] * other)


def test_answers_have_one_in_the_singular() -> None:
    lines = {line for line in make_answer_lines() if " 1 " in f" {line}"}
    assert len(lines) > 20
    assert [line for line in lines if ONE_AS_MANY.search(line)] == []


def test_pattern_finds_one_with_a_plural() -> None:
    for wrong in ("ok: 1 facts", "1 exchanges", "1 exchange have", "1 directed exchanges are"):
        assert ONE_AS_MANY.search(wrong), wrong
    for right in ("1 fact", "1 exchange has", "0 of 1 exchange have", "11 facts", "1 row has"):
        assert not ONE_AS_MANY.search(right), right


def _plurals(path: Path) -> Iterator[int]:
    """Lines with a formatted count before a plural noun, other than a constant."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            text = str(after.value) if isinstance(after, ast.Constant) else ""
            is_count = isinstance(value, ast.FormattedValue) and _is_count(value)
            if is_count and PLURAL.match(text):
                yield node.lineno


def _is_count(value: ast.FormattedValue) -> bool:
    """Whether the value is formatted as a number or named as a count."""
    code = ast.unparse(value.value)
    is_number = value.format_spec is not None and "," in ast.unparse(value.format_spec)
    return not code.isupper() and (is_number or code.endswith("_count") or code.startswith("len("))


SOURCES = sorted(ROOT.glob("services/**/*.py")) + sorted(ROOT.glob("proto/mutua/*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_formatted_counts_agree_with_nouns(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    line_numbers = list(_plurals(path))
    if name in OVER_A_LIMIT:
        assert line_numbers, f"{name} needs no exception any more"
    else:
        assert not line_numbers, (
            f"{name}:{line_numbers}: use counted() of services/ledger/wording.py"
        )
