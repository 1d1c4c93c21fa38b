"""Labels the topics of a file as the file writes them."""

from typing import NamedTuple

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event, ProgrammeConfigured, TopicLabel
from mutua.v1.query_service_pb2 import Programme
from mutua.v1.types_pb2 import Source
from services.imports.row_checker import IMPORT_CLIENT
from services.notation.topics import TopicReader


class TopicLabelling(NamedTuple):
    """The fact that labels topics, None if there is nothing to label, and notes for the user."""

    event: Event | None
    notes: dict[str, None]


def label_topics(topics: TopicReader, programme: Programme) -> TopicLabelling:
    """Labels topics that have no label in the programme and whose slug differs from the label.

    The fact has the same id for the same labels, so that it counts once.
    """
    labelled_topics = {topic.topic for topic in programme.topics if topic.label}
    new = {
        topic: label
        for topic, label in sorted(topics.find_display_labels().items())
        if topic not in labelled_topics
    }
    notes = dict.fromkeys(
        f"{' and '.join(map(_quoted, labels))} are one topic, {topic}: --topic-map parts them."
        for topic, labels in topics.find_shared_topics().items()
    )
    if topics.split_labels:
        several = " and ".join(map(_quoted, topics.split_labels))
        notes[f"Read as several topics of the programme, at the commas: {several}."] = None
    if topics.whole_labels:
        whole = " and ".join(map(_quoted, topics.whole_labels))
        notes[f"Read as one topic each, with their commas: {whole}. Between topics write ;."] = None
    if not new:
        return TopicLabelling(None, notes)
    display_text = ", ".join(f"{topic} as {_quoted(label)}" for topic, label in new.items())
    notes[f"Topics are shown by their labels: {display_text}."] = None
    words = (word for each in new.items() for word in each)
    event = Event(
        event_id=uuid8("topics", programme.programme_id, *words),
        source=Source(client=IMPORT_CLIENT),
        programme_configured=ProgrammeConfigured(
            topics=[TopicLabel(topic=topic, label=label) for topic, label in new.items()]
        ),
    )
    return TopicLabelling(event, notes)


def _quoted(label: str) -> str:
    return f'"{label}"'
