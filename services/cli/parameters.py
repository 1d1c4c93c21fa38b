"""What an option's value may be."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import click
from click.shell_completion import CompletionItem

from mutua.enum_words import words_by_number as words_by_number
from services.notation.words import normalize_word

Value = TypeVar("Value")


class EnumChoice(click.Choice[Any]):
    """The words of an enum of the contract, given as its items; the value is the number.

    Spaces and underscores count as hyphens. `synonyms` are further words, normalized.
    """

    def __init__(
        self, items: Iterable[tuple[str, int]], synonyms: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._words = words_by_number(items)
        self._synonyms = synonyms
        super().__init__(self._words, case_sensitive=False)

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:
        # Click passes the numbers, to list what may be typed, and also what was typed.
        word = normalize_word(self._words.get(choice, choice))
        word = self._synonyms.get(word, word).replace("_", "-")
        return super().normalize_choice(word, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The words that begin so; Click itself would offer the numbers."""
        begun = incomplete.lower().replace("_", "-")
        return [CompletionItem(word) for word in self._words.values() if word.startswith(begun)]


class ParsedParameter(click.ParamType, Generic[Value]):
    """What `parse` makes of the text; its ValueError is the message of the usage error."""

    def __init__(self, name: str, parse: Callable[[str], Value]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Value:
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
