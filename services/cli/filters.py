"""Resolves the organizations and topics of filters to what the programme knows."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import click

from mutua import Client
from mutua.v1.query_service_pb2 import IDENTITY_RECORDED, Identity, Question
from services.cli.organization_names import CommandLineDirectory
from services.cli.value_parsers import parse_topic_word
from services.ledger.errors import NotFoundError

MIN_SIMILARITY: Final = 0.6
"""Below this, difflib's likeness of two topics is chance. Topics are shorter than names."""


class NothingMatchesError(NotFoundError):
    """A filter names only what the programme does not know, so that no row can match it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNames:
    """A sentence for each unknown name; `is_all` is true when a filter has nothing else."""

    sentences: tuple[str, ...] = ()
    is_all: bool = False

    def __add__(self, other: "UnknownNames") -> "UnknownNames":
        return UnknownNames(
            sentences=self.sentences + other.sentences, is_all=self.is_all or other.is_all
        )

    def warn(self) -> None:
        """Writes the sentences to stderr."""
        for sentence in self.sentences:
            click.echo(sentence, err=True)

    def to_error(self) -> NothingMatchesError:
        return NothingMatchesError(" ".join(self.sentences))


def resolve_organizations(
    client: Client, identity: Identity.ValueType, filters: Iterable[Sequence[str]], mutua: str
) -> tuple[dict[str, str], UnknownNames]:
    """The id of each name, and the unknown names, which stay as typed.

    The names of one filter are alternatives. Under identity recorded only ids are known, exactly
    as they were recorded. `mutua` is how the command was typed.
    """
    filters = [names for names in filters if names]
    ids, unknown = dict[str, str](), UnknownNames()
    if not filters:
        return ids, unknown
    directory = CommandLineDirectory(client.list_organizations(Question(identity=identity)))
    for names in filters:
        missing = {}
        for typed in names:
            organization_id = directory.find(typed)
            match = organization_id
            if identity == IDENTITY_RECORDED:
                match = typed if directory.get(typed) else None
            ids[typed] = match or typed
            if match is None:
                near = [organization_id] if organization_id else directory.find_near_misses(typed)
                missing[typed] = directory.join_labels(near)
        unknown += UnknownNames(
            sentences=_sentences("no organization is called", missing, f"{mutua} organizations"),
            is_all=len(missing) == len(set(names)),
        )
    return ids, unknown


def resolve_topics(
    client: Client, typed: Sequence[str], mutua: str
) -> tuple[list[str], UnknownNames]:
    """The topic that each topic or label means, and the topics that no exchange has."""
    if not typed:
        return [], UnknownNames()
    topics = client.get_programme().programme.topics
    # A topic goes before a label that is spelled like it.
    by_word = {parse_topic_word(topic.label): topic.topic for topic in topics if topic.label}
    by_word |= {topic.topic: topic.topic for topic in topics}
    labels = {topic.topic: topic.label or topic.topic for topic in topics}
    topic_ids, missing = [], {}
    for each in typed:
        word = parse_topic_word(each)
        topic_ids.append(by_word.get(word, word))
        if word not in by_word:
            alike = difflib.get_close_matches(word, by_word, n=3, cutoff=MIN_SIMILARITY)
            missing[each] = ", ".join(dict.fromkeys(labels[by_word[one]] for one in alike))
    sentences = _sentences("no exchange has the topic", missing, f"{mutua} programme show")
    return topic_ids, UnknownNames(sentences=sentences, is_all=len(missing) == len(set(typed)))


def _sentences(fact: str, near_misses: Mapping[str, str], command: str) -> tuple[str, ...]:
    """One for each name with near misses, and one for all the others, with what lists the names."""
    sentences = [
        f"{fact} {typed!r}; did you mean {near}?" for typed, near in near_misses.items() if near
    ]
    others = [repr(typed) for typed, near in near_misses.items() if not near]
    if others:
        sentences.append(f"{fact} {' or '.join(others)}: {command} lists those there are.")
    return tuple(sentences)
