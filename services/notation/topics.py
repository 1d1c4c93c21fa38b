"""Reads labels of topics into the slugs that exchanges have."""

import re
import shlex
import unicodedata
from collections.abc import Mapping
from typing import Final

from services.notation.errors import NotationError, WordError
from services.notation.words import read_quoted_list, split_at_commas

_LETTERS: Final = str.maketrans(
    dict(zip("æœøłđðþı&", ("ae", "oe", "o", "l", "d", "d", "th", "i", " and "), strict=True))
)
"""Letters that do not decompose into an ASCII letter and a mark."""
_MAPPED_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def slugify(label: str) -> str:
    """Makes the topic of a label: lower-kebab ASCII, so `IT & data` is `it-and-data`.

    Raises NotationError when a letter has no ASCII form, or when nothing remains.
    """
    folded = unicodedata.normalize("NFKD", label.casefold().translate(_LETTERS))
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    words = re.findall(r"[a-z0-9]+", plain.replace("'", "").replace("\u2019", ""))
    if not words or any(letter.isalpha() and not letter.isascii() for letter in plain):
        raise WordError(
            "is no topic in Latin letters",
            remedy=f"say which it is: --topic-map {shlex.quote(f'{label}=TOPIC')}",
        )
    return "-".join(words)


def is_plain_label(label: str) -> bool:
    """Whether a label equals its slug but for case, spaces and hyphens."""
    return re.sub(r"[\s_]+", "-", label.lower()) == slugify(label)


class TopicReader:
    """Reads topics and collects the labels that differ from their slugs."""

    def __init__(
        self,
        topic_map: Mapping[str, str] | None = None,
        topics: Mapping[str, str] | None = None,
    ) -> None:
        """Takes the topics of the programme, each with its label or "".

        Raises NotationError when `topic_map` (label to topic) has an invalid topic.
        """
        self._topics_of_programme = {
            _key(label): topic
            for topic, display_label in (topics or {}).items()
            for label in (topic, display_label)
            if label
        }
        self.whole_labels: dict[str, None] = {}
        """New labels with commas, each read as one topic."""
        self.split_labels: dict[str, None] = {}
        """Labels with commas between topics of the programme, read as several."""
        self.labels: dict[str, dict[str, None]] = {}
        """Topic -> its labels, in the order of reading."""
        self._topics_by_label: dict[str, str] = {}
        self._topic_map = {_key(label): topic for label, topic in (topic_map or {}).items()}
        for label, topic in (topic_map or {}).items():
            if not _MAPPED_SLUG.fullmatch(topic):
                raise NotationError(
                    f"{label}={topic}: {topic!r} must be lower-kebab, like beds-flow"
                )

    def read_topics(self, text: str) -> list[str]:
        """`E-Prescribing; IT & data` is two topics. Raises NotationError."""
        return [
            self._topic(label)
            for part, is_quoted in read_quoted_list(text)
            for label in ([part] if is_quoted else self._labels_in(part))
        ]

    def find_display_labels(self) -> dict[str, str]:
        """Topic -> its first label that differs from the slug."""
        return {
            topic: distinct[0]
            for topic, labels in self.labels.items()
            if (distinct := [label for label in labels if not is_plain_label(label)])
        }

    def find_shared_topics(self) -> dict[str, list[str]]:
        """Topic -> its labels, where several differ by more than case and spaces."""
        several = {}
        for topic, labels in self.labels.items():
            distinct = {_key(label.replace("-", " ").replace("_", " ")): label for label in labels}
            if len(distinct) > 1:
                several[topic] = list(distinct.values())
        return several

    def _labels_in(self, text: str) -> list[str]:
        if "," not in text or self._is_recognized(text):
            return [text]
        labels = split_at_commas(text, self._is_recognized)
        (self.split_labels if len(labels) > 1 else self.whole_labels)[text] = None
        return labels

    def _is_recognized(self, label: str) -> bool:
        """Whether a label means a topic of the programme or of `topic_map`."""
        key = _key(label)
        if key in self._topic_map or key in self._topics_of_programme:
            return True
        try:
            return slugify(label) in self._topics_of_programme
        except WordError:
            return False

    def _topic(self, label: str) -> str:
        topic = self._topics_by_label.get(label)
        if topic is None:
            topic = self._topic_map.get(_key(label))
            if topic is None:
                topic = slugify(label)
                self.labels.setdefault(topic, {})[label] = None
            self._topics_by_label[label] = topic
        return topic


def _key(label: str) -> str:
    return " ".join(label.casefold().split())
