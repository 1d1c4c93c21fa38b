"""What is said below an exported graph: what it leaves out and what it rests on."""

from collections.abc import Iterator

from mutua.v1.analysis_service_pb2 import GetGraphResponse
from mutua.v1.query_service_pb2 import Question
from services.cli.messages import coverage_lines, warning_lines
from services.cli.organization_names import UNBOUND_NAMES, CommandLineDirectory, unbound_lines
from services.cli.question_summary import question_line
from services.exports.graph_tables import GraphTables
from services.ledger.wording import format_count


def graph_lines(
    graph: GetGraphResponse, tables: GraphTables, sent_question: Question, mutua: str
) -> Iterator[str]:
    """Lines about ties without an amount, the question, coverage and warnings.

    `mutua` is how the command was typed, for hints of what to type next.
    """
    if count := tables.weightless_count:
        ties = format_count(count, "tie", "is")
        yield f"{ties} left out: under this lens no minutes are known, or they are 0."
    directory = CommandLineDirectory(node.organization for node in graph.nodes)
    yield question_line(graph.question, sent_question, directory, {}, has_amounts=True)
    yield from coverage_lines(graph.coverage, graph.question)
    yield from warning_lines(graph.warnings, mutua, graph.coverage)
    if UNBOUND_NAMES in graph.warnings:
        yield from unbound_lines(directory, mutua)
