"""Reads the content of an exchange from a row: all fields but its times and reference."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from mutua.spelling import name_key, quote
from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import Topic
from mutua.v1.types_pb2 import ExchangeKind, Formality, ReportSide
from services.imports.new_names import NewNameCounter
from services.imports.party_reader import PartyReader
from services.imports.report import ImportRefusedError
from services.notation.durations import DurationReader
from services.notation.errors import NotationError, WordError
from services.notation.exchange_cells import PARTY_COLUMN_BY_FIELD
from services.notation.topics import TopicReader
from services.notation.words import KIND_SYNONYMS, map_enum_words, normalize_word, read_word

PARTY_FIELD_BY_COLUMN: Final = {column: field for field, column in PARTY_COLUMN_BY_FIELD.items()}


class ContentReader:
    """Reads cells about an exchange; `parties` reads the cells that name organizations."""

    def __init__(
        self,
        parties: PartyReader,
        kind_map: Mapping[str, str],
        *,
        topic_map: Mapping[str, str],
        topics: Iterable[Topic] = (),
        working_day_minutes: int | None,
    ) -> None:
        """Takes the maps of the user and the `topics` of the programme.

        Raises ImportRefusedError when `kind_map` (word to kind) or `topic_map` (label to topic) has
        an invalid kind or topic.
        """
        self._parties = parties
        self.new_names = NewNameCounter(parties)
        self._kinds = _kind_words(kind_map)
        self.unknown_kinds: dict[str, None] = {}
        """Words that mean no kind, in the order of the file."""
        self._formalities = map_enum_words(Formality.items())
        self._sides = map_enum_words(ReportSide.items())
        self.durations = DurationReader(working_day_minutes)
        self.notes = self.durations.notes
        try:
            self.topics = TopicReader(topic_map, {each.topic: each.label for each in topics})
        except NotationError as error:
            raise ImportRefusedError(f"--topic-map {error}.") from error

    def read_field(self, content: ExchangeContent, field: str, text: str) -> None:
        """Adds the value of a cell, which is never empty. Raises NotationError."""
        match field:
            case "giver" | "receiver" | "parties":
                getattr(content, PARTY_FIELD_BY_COLUMN[field]).extend(
                    self._parties.read_parties(text)
                )
            case "direction" | "count":
                """RowSplitter has used them."""
            case "kind":
                content.kind = ExchangeKind.ValueType(self._read_kind(text))
            case "formality":
                content.formality = Formality.ValueType(read_word(text, self._formalities))
            case "topics":
                content.topics.extend(self.topics.read_topics(text))
            case "reported_by":
                content.reported_by = self._read_side(text, content)
            case "note":
                content.note.plain = text
            case _:
                minutes = self.durations.read_minutes(text)
                if minutes is not None:
                    setattr(content, field, minutes)

    def is_kind(self, word: str) -> bool:
        return normalize_word(word) in self._kinds

    def _read_side(self, text: str, content: ExchangeContent) -> ReportSide.ValueType:
        """The side, from its word or from a party's id or name."""
        if side := self._sides.get(normalize_word(text)):
            return ReportSide.ValueType(side)
        reporter = self._parties.find(text)
        reporter_id = reporter or self._parties.new_names.get(name_key(text))
        if reporter_id in content.giver_ids:
            return ReportSide.REPORT_SIDE_GIVER
        if reporter_id in content.receiver_ids:
            return ReportSide.REPORT_SIDE_RECEIVER
        if reporter is None:
            raise NotationError(
                "is not giver, receiver or third-party, nor an organization we know"
            )
        return ReportSide.REPORT_SIDE_THIRD_PARTY

    def _read_kind(self, text: str) -> int:
        if unknown := self._unknown_parts(text):
            self.unknown_kinds |= dict.fromkeys(unknown)
            options = " ".join(f"--kind-map {shlex.quote(f'{each}=KIND')}" for each in unknown)
            raise WordError(
                f"has kinds with commas between them, and {' and '.join(map(quote, unknown))} "
                f"{'is' if len(unknown) == 1 else 'are'} no kind of ours",
                remedy=f"say what that means: {options}",
            )
        if not self.is_kind(text):
            self.unknown_kinds[text] = None
        remedy = f"say which it means: --kind-map {shlex.quote(f'{text}=KIND')}"
        return read_word(text, self._kinds, problem="is no kind of ours", remedy=remedy)

    def _unknown_parts(self, text: str) -> list[str]:
        """The parts between commas that are no kinds, when at least one is a kind."""
        if self.is_kind(text):
            return []
        parts = [part for part in map(str.strip, text.split(",")) if part]
        unknown = [part for part in parts if not self.is_kind(part)]
        return unknown if len(unknown) < len(parts) else []


def _kind_words(kind_map: Mapping[str, str]) -> dict[str, int]:
    """Normalized words -> kinds: of the contract, everyday synonyms, and the user's words."""
    contract_kinds = map_enum_words(ExchangeKind.items())
    words = contract_kinds | {word: contract_kinds[kind] for word, kind in KIND_SYNONYMS.items()}
    for word, kind in kind_map.items():
        try:
            words[normalize_word(word)] = read_word(kind, contract_kinds)
        except NotationError as error:
            raise ImportRefusedError(f"--kind-map {word}={kind}: {kind!r} {error}.") from error
    return words
