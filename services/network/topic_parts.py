"""A question and its parts by topic."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from services.ledger.errors import ImpossibleQuestionError
from services.ledger.question import TOPICS_OVERLAP, Coverage, Question
from services.ledger.wording import format_count
from services.measures.flow_graph import Flags
from services.network.identity_view import IdentityView

MAX_TOPICS: Final = 500
"""Maximum number of parts, because each is an answer of its own."""


class TopicPart(NamedTuple):
    """The part of a question about one topic; "" is the whole question."""

    topic: str
    question: Question
    mask: Flags
    """Its exchanges."""


def split_by_topic(
    view: IdentityView, question: Question, *, by_topic: bool
) -> Iterator[TopicPart]:
    """Yields the whole question, and with `by_topic` the part of each of its topics by name.

    The topics are those of the question, else those of the exchanges it counts. Raises
    ImpossibleQuestionError for more than MAX_TOPICS of them.
    """
    mask = view.select_exchanges(question)
    yield TopicPart("", question, mask)
    if not by_topic:
        return
    topics = question.topics or view.list_topics(mask)
    if len(topics) > MAX_TOPICS:
        raise ImpossibleQuestionError(
            f"these exchanges have {format_count(len(topics), 'topic')}, over {MAX_TOPICS:,}",
            remedy="name the topics that you want, or ask without topics",
        )
    for topic in topics:
        part = replace(question, topics=(topic,))
        yield TopicPart(topic, part, view.select_exchanges(part))


def find_basis(
    view: IdentityView, question: Question, *, by_topic: bool
) -> tuple[Coverage, tuple[str, ...]]:
    """The coverage and warnings of an answer about a question and its parts by topic."""
    mask = view.select_exchanges(question)
    coverage = view.compute_coverage(question, mask)
    warnings = {*view.find_warnings(question, coverage, mask)}
    if by_topic and view.have_several_topics(mask):
        warnings.add(TOPICS_OVERLAP)
    return coverage, tuple(sorted(warnings))
