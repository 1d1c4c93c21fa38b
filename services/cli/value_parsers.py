"""Minutes and topics as people type them, read by `services.notation`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.event_pb2 import TopicLabel
from services.cli.parameters import ParsedParameter
from services.notation.durations import DurationReader
from services.notation.errors import NotationError, WorkingDayError
from services.notation.topics import TopicReader, slugify

UNKNOWN_WORD: Final = "unknown"
NO_TOPIC_WORD: Final = "none"


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """A duration in working days, whose length only the programme knows."""

    text: str


class MinutesType(click.ParamType):
    """A duration in whole minutes, or the word for one that nobody knows."""

    name = "minutes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str | WorkingDays:
        text = str(value).strip()
        try:
            minutes = DurationReader().read_minutes(text)
        except WorkingDayError:
            return WorkingDays(text)
        except NotationError as error:
            self.fail(
                f"{text!r} {error}. If nobody knows the minutes, type {UNKNOWN_WORD}.", param, ctx
            )
        return UNKNOWN_WORD if minutes is None else minutes


def resolve_minutes(client: Client, values: dict[str, Any], fields: Iterable[str]) -> None:
    """Turns working days into minutes. Raises ClickException if their length is unknown."""
    for field in fields:
        duration = values[field]
        if isinstance(duration, WorkingDays):
            programme = client.get_programme().programme
            is_set = programme.HasField("working_day_minutes")
            reader = DurationReader(programme.working_day_minutes if is_set else None)
            try:
                values[field] = reader.read_minutes(duration.text)
            except NotationError as error:
                raise click.ClickException(f"{duration.text!r} {error}") from error


def parse_topic(typed: str) -> str:
    """The text itself, once it is known to be a topic or the label of one. Raises ValueError."""
    try:
        TopicReader().read_topics(typed)
    except NotationError as error:
        raise ValueError(f"{typed!r} {error.problem}: type it like e-prescribing.") from error
    return typed


def parse_topic_word(typed: str) -> str:
    """The topic that a slug or label is; a text that is neither stays as it is."""
    try:
        return slugify(typed)
    except NotationError:
        return typed


TOPIC: Final = ParsedParameter("topic", parse_topic)


def read_topics(typed: Iterable[str]) -> tuple[list[str], Mapping[str, str]]:
    """The topics, and their labels where the topic does not show them."""
    reader = TopicReader()
    topics = [
        topic for text in typed if text != NO_TOPIC_WORD for topic in reader.read_topics(text)
    ]
    return list(dict.fromkeys(topics)), reader.find_display_labels()


def fetch_topic_labels(client: Client) -> dict[str, str]:
    """The labels of topics in the programme, by topic."""
    topics = client.get_programme().programme.topics
    return {topic.topic: topic.label for topic in topics if topic.label}


def select_new_labels(labels: Mapping[str, str], known: Mapping[str, str]) -> list[TopicLabel]:
    """Labels of topics that the programme has none for."""
    return [
        TopicLabel(topic=topic, label=label)
        for topic, label in sorted(labels.items())
        if topic not in known
    ]
